from __future__ import annotations

import pytest

from cameras.capture import state as module
from cameras.capture.state import CONNECTING, SILENT, Tracker
from sightline.messages import CameraState


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
def tracker(clock: Clock) -> Tracker:
    return Tracker("dock", "capture-1", fps=10)


def play(tracker: Tracker, clock: Clock, seconds: float, fps: float = 10) -> None:
    for _ in range(round(seconds * fps)):
        clock.now += 1 / fps
        tracker.took(1280, 720, 1000, "h264")


def test_it_begins_by_connecting(tracker: Tracker) -> None:
    status = tracker.status()

    assert (status.camera, status.worker, status.state, status.detail) == (
        "dock",
        "capture-1",
        CameraState.CONNECTING,
        CONNECTING,
    )
    assert status.fps == 0


def test_the_first_picture_makes_it_live_at_once(tracker: Tracker, clock: Clock) -> None:
    clock.now += 3
    tracker.took(1280, 720, 50_000, "h264")
    status = tracker.status()

    assert tracker.changed.is_set()
    assert (status.state, status.detail, status.since) == (CameraState.LIVE, "", clock.time_ns())
    assert (status.width, status.height, status.codec, status.frames, status.bytes_sent) == (
        1280,
        720,
        "h264",
        1,
        50_000,
    )


def test_the_rate_is_that_of_the_last_seconds(tracker: Tracker, clock: Clock) -> None:
    play(tracker, clock, 20, fps=10)
    assert tracker.status().fps == pytest.approx(10, abs=0.3)

    play(tracker, clock, 6, fps=5)
    assert tracker.status().fps == pytest.approx(5, abs=0.3)


def test_since_stays_while_the_state_does(tracker: Tracker, clock: Clock) -> None:
    play(tracker, clock, 1)
    since = tracker.status().since
    play(tracker, clock, 5)

    assert tracker.status().since == since
    assert tracker.status().at == clock.time_ns()


def test_a_few_lost_pictures_are_no_news_but_counted(tracker: Tracker, clock: Clock) -> None:
    play(tracker, clock, 4)
    tracker.lost("One was broken.")

    assert tracker.status().state == CameraState.LIVE
    assert tracker.status().dropped == 1


def test_many_lost_pictures_degrade_it_and_it_recovers(tracker: Tracker, clock: Clock) -> None:
    play(tracker, clock, 2)
    for _ in range(10):
        tracker.lost("They were broken.")
    degraded = tracker.status()
    play(tracker, clock, 6)

    assert degraded.state == CameraState.DEGRADED
    assert degraded.detail == "10 of the last 30 pictures were lost. They were broken."
    assert (tracker.status().state, tracker.status().detail, tracker.status().dropped) == (
        CameraState.LIVE,
        "",
        10,
    )


def test_a_camera_that_only_sends_broken_pictures_is_degraded(tracker: Tracker) -> None:
    tracker.lost("It was broken.")

    assert tracker.status().state == CameraState.DEGRADED


def test_silence_is_a_stall(tracker: Tracker, clock: Clock) -> None:
    play(tracker, clock, 1)
    clock.now += 5.1
    status = tracker.status()

    assert (status.state, status.detail, status.fps) == (CameraState.STALLED, SILENT, 0)
    play(tracker, clock, 0.1)
    assert tracker.status().state == CameraState.LIVE


def test_a_camera_that_is_slow_by_its_settings_is_not_stalled(clock: Clock) -> None:
    tracker = Tracker("dock", "capture-1", fps=0.1)
    tracker.took(1280, 720, 1000, "jpeg")
    clock.now += 20

    assert tracker.status().state == CameraState.LIVE


def test_a_failure_stays_in_view_while_it_is_tried_again(tracker: Tracker, clock: Clock) -> None:
    play(tracker, clock, 1)
    tracker.enter(CameraState.UNREACHABLE, "It does not answer.")
    since = tracker.status().since
    clock.now += 30
    tracker.connecting()
    tracker.enter(CameraState.UNREACHABLE, "It refuses.")
    status = tracker.status()

    assert (status.state, status.detail, status.since) == (
        CameraState.UNREACHABLE,
        "It refuses.",
        since,
    )


def test_pictures_end_a_failure(tracker: Tracker, clock: Clock) -> None:
    tracker.enter(CameraState.AUTH_FAILED, "Wrong password.")
    tracker.changed.clear()
    play(tracker, clock, 0.1)

    assert (tracker.status().state, tracker.status().detail) == (CameraState.LIVE, "")
    assert tracker.changed.is_set()


def test_late_news_of_undelivered_pictures_does_not_hide_a_failure(
    tracker: Tracker, clock: Clock
) -> None:
    play(tracker, clock, 1)
    tracker.enter(CameraState.UNREACHABLE, "It does not answer.")
    tracker.undelivered("Kafka did not take them.")

    assert (tracker.status().state, tracker.status().dropped) == (CameraState.UNREACHABLE, 1)


def test_undelivered_pictures_degrade_a_live_camera(tracker: Tracker, clock: Clock) -> None:
    play(tracker, clock, 1)
    for _ in range(10):
        tracker.undelivered("Kafka did not take them.")

    assert tracker.status().state == CameraState.DEGRADED
    assert "Kafka did not take them." in tracker.status().detail
