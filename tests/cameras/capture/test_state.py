from __future__ import annotations

import pytest

from cameras.capture import state as module
from cameras.capture.state import CONNECTING, SILENT, CaptureState
from cameras.sources import failures
from sightline.messages import CameraState, CameraStatus, Cause


class Clock:
    """Stands in for the module time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return round(self.now * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def state(clock: Clock) -> CaptureState:
    return CaptureState("dock", "capture-1", fps=10)


def play(state: CaptureState, clock: Clock, seconds: float, fps: float = 10) -> None:
    for _ in range(round(seconds * fps)):
        clock.now += 1 / fps
        state.frame_sent(1280, 720, 1000, "h264")


def test_it_begins_by_connecting(state: CaptureState) -> None:
    status = state.status()

    assert (status.camera, status.worker, status.state, status.detail) == (
        "dock",
        "capture-1",
        CameraState.CONNECTING,
        CONNECTING,
    )
    assert status.fps == 0


def test_the_first_frame_makes_it_live_at_once(state: CaptureState, clock: Clock) -> None:
    clock.now += 3
    state.frame_sent(1280, 720, 50_000, "h264")
    status = state.status()

    assert state.changed.is_set()
    assert (status.state, status.detail, status.since) == (CameraState.LIVE, "", clock.time_ns())
    assert (status.width, status.height, status.codec, status.frames, status.bytes_sent) == (
        1280,
        720,
        "h264",
        1,
        50_000,
    )


def test_the_rate_is_that_of_the_last_seconds(state: CaptureState, clock: Clock) -> None:
    play(state, clock, 20, fps=10)
    assert state.status().fps == pytest.approx(10, abs=0.3)

    play(state, clock, 6, fps=5)
    assert state.status().fps == pytest.approx(5, abs=0.3)


def test_since_stays_while_the_state_does(state: CaptureState, clock: Clock) -> None:
    play(state, clock, 1)
    since = state.status().since
    play(state, clock, 5)

    assert state.status().since == since
    assert state.status().at == clock.time_ns()


def test_a_few_lost_frames_are_no_news_but_counted(state: CaptureState, clock: Clock) -> None:
    play(state, clock, 4)
    state.frame_lost("One was broken.")

    assert state.status().state == CameraState.LIVE
    assert state.status().dropped == 1


def test_many_lost_frames_degrade_it_and_it_recovers(state: CaptureState, clock: Clock) -> None:
    play(state, clock, 2)
    for _ in range(10):
        state.frame_lost("They were broken.")
    degraded = state.status()
    play(state, clock, 6)

    assert degraded.state == CameraState.DEGRADED
    assert degraded.detail == "10 of the last 30 pictures were lost. They were broken."
    assert (state.status().state, state.status().detail, state.status().dropped) == (
        CameraState.LIVE,
        "",
        10,
    )


def test_a_camera_that_only_sends_broken_frames_is_degraded(state: CaptureState) -> None:
    state.frame_lost("It was broken.")

    assert state.status().state == CameraState.DEGRADED


def test_the_cause_of_a_failure_goes_when_pictures_come(state: CaptureState, clock: Clock) -> None:
    err = failures.not_found()
    state.enter(err.state, err.detail, err.cause)
    reported = CameraStatus.from_json(state.status().to_json())
    assert (reported.state, reported.cause) == (CameraState.UNREACHABLE, Cause.NOT_FOUND)

    play(state, clock, 1)
    assert b"cause" not in state.status().to_json()  # as readers of earlier releases know it
    assert CameraStatus.from_json(state.status().to_json()).cause == ""


def test_silence_is_a_stall(state: CaptureState, clock: Clock) -> None:
    play(state, clock, 1)
    clock.now += 5.1
    status = state.status()

    assert (status.state, status.detail, status.fps) == (CameraState.STALLED, SILENT, 0)
    play(state, clock, 0.1)
    assert state.status().state == CameraState.LIVE


def test_a_camera_that_is_slow_by_its_settings_is_not_stalled(clock: Clock) -> None:
    state = CaptureState("dock", "capture-1", fps=0.1)
    state.frame_sent(1280, 720, 1000, "jpeg")
    clock.now += 20

    assert state.status().state == CameraState.LIVE


def test_a_failure_stays_in_view_while_it_is_tried_again(state: CaptureState, clock: Clock) -> None:
    play(state, clock, 1)
    state.enter(CameraState.UNREACHABLE, "It does not answer.")
    since = state.status().since
    clock.now += 30
    state.connecting()
    state.enter(CameraState.UNREACHABLE, "It refuses.")
    status = state.status()

    assert (status.state, status.detail, status.since) == (
        CameraState.UNREACHABLE,
        "It refuses.",
        since,
    )


def test_frames_end_a_failure(state: CaptureState, clock: Clock) -> None:
    state.enter(CameraState.AUTH_FAILED, "Wrong password.")
    state.changed.clear()
    play(state, clock, 0.1)

    assert (state.status().state, state.status().detail) == (CameraState.LIVE, "")
    assert state.changed.is_set()


def test_late_news_of_undelivered_frames_does_not_hide_a_failure(
    state: CaptureState, clock: Clock
) -> None:
    play(state, clock, 1)
    state.enter(CameraState.UNREACHABLE, "It does not answer.")
    state.frame_undelivered("Kafka did not take them.")

    assert (state.status().state, state.status().dropped) == (CameraState.UNREACHABLE, 1)


def test_undelivered_frames_degrade_a_live_camera(state: CaptureState, clock: Clock) -> None:
    play(state, clock, 1)
    for _ in range(10):
        state.frame_undelivered("Kafka did not take them.")

    assert state.status().state == CameraState.DEGRADED
    assert "Kafka did not take them." in state.status().detail
