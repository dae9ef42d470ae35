from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self

import pytest
from pytest_django import Settings

from cameras.capture import reader as module
from cameras.capture.reader import CameraReader, ReaderConfig
from cameras.sources.base import CorruptFrame, Jpeg, SourceError, SourceSettings
from sightline.base.backoff import Backoff
from sightline.kafka import Producer, topics
from sightline.messages import CameraState, Cause
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support import reading

JPEG = Jpeg(b"\xff\xd8picture\xff\xd9", 64, 36)


@dataclass(frozen=True)
class ScriptedFrame:
    captured_at: int
    result: Jpeg | Exception = JPEG

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@dataclass
class Script:
    """A source that plays one script per connection: frames, then an error, or None to wait until
    it is stopped, as after the last script.

    The error of a camera that did not answer is raised when the source is opened.
    """

    attempts: list[list[Jpeg | Exception | None]]
    paced: bool = True
    codec: str = "script"
    first_seqs: list[int] = field(default_factory=list)

    def open(self, settings: SourceSettings, stop: threading.Event, check: object) -> Self:
        self.first_seqs.append(settings.first_seq)
        self.stop = stop
        return self

    def __enter__(self) -> Self:
        match self.attempts:
            case [[SourceError(answered=False) as err], *_]:
                self.attempts.pop(0)
                raise err
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[ScriptedFrame]:
        for item in self.attempts.pop(0) if self.attempts else [None]:
            if item is None:
                self.stop.wait()
                return
            if isinstance(item, Exception) and not isinstance(item, CorruptFrame):
                raise item
            yield ScriptedFrame(time.time_ns(), item)


class Play(Protocol):
    def __call__(
        self, script: Script, backoff: Backoff | None = None, connect_backoff: Backoff | None = None
    ) -> CameraReader: ...


@pytest.fixture
def play(embedded: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    cameras: list[CameraReader] = []

    def start(
        script: Script, backoff: Backoff | None = None, connect_backoff: Backoff | None = None
    ) -> CameraReader:
        monkeypatch.setattr(module, "open_source", script.open)
        camera = CameraReader(
            ReaderConfig("dock", SourceSettings("demo", "demo:conveyor"), 1280, 80),
            Producer(),
            "capture-1",
        )
        camera.retry_backoff = backoff or Backoff(first=0.01, maximum=0.01)
        camera.connect_backoff = connect_backoff or camera.connect_backoff
        cameras.append(camera)
        camera.start()
        return camera

    yield start
    for camera in cameras:
        camera.stop()
        assert camera.join(10)


def test_a_damaged_frame_leaves_a_gap_and_is_counted(play: Play) -> None:
    camera = play(Script([[JPEG, CorruptFrame("the picture is not a whole JPEG"), JPEG]]))

    with reading(topics.frames("dock")) as reader:
        records = reader.wait(2)

    assert [record.header_map["seq"] for record in records] == [b"0", b"2"]
    assert camera.state.status().dropped == 1
    assert camera.state.status().frames == 2


def test_losses_are_explained_in_a_sentence(play: Play) -> None:
    camera = play(Script([[*[CorruptFrame("the picture is not a whole JPEG")] * 3, None]]))
    wait_until(lambda: camera.state.status().dropped == 3)

    assert camera.state.status().state == CameraState.DEGRADED
    assert (
        camera.state.status().detail
        == "3 of the last 3 pictures were lost. The last of them: the picture is not a whole JPEG."
    )


def test_it_connects_again_and_numbers_go_on(play: Play) -> None:
    script = Script(
        [[JPEG, JPEG, SourceError(CameraState.STALLED, "Nothing comes.", Cause.SILENT)], [JPEG]]
    )
    play(script)

    with reading(topics.frames("dock")) as reader:
        records = reader.wait(3)

    assert [record.header_map["seq"] for record in records] == [b"0", b"1", b"2"]
    assert script.first_seqs[:2] == [0, 2]


def test_the_reason_of_a_failure_is_reported(play: Play) -> None:
    camera = play(Script([[SourceError(CameraState.STALLED, "Nothing comes.", Cause.SILENT)]]))

    wait_until(lambda: camera.state.status().state == CameraState.STALLED)
    assert camera.state.status().detail == "Nothing comes."
    assert camera.state.status().cause == Cause.SILENT


def test_a_stream_that_ends_is_reported(play: Play) -> None:
    camera = play(Script([[]]))

    wait_until(lambda: camera.state.status().detail == "The camera ended the stream.")


def test_an_unforeseen_error_is_logged_and_tried_again(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    script = Script([[RuntimeError("boom")], [JPEG]])
    play(script)

    with reading(topics.frames("dock")) as reader:
        reader.wait(1)
    assert "camera failed unexpectedly camera=dock" in caplog.text
    assert "boom" in caplog.text


def test_a_refused_password_is_not_tried_again_soon(play: Play) -> None:
    script = Script(
        [[SourceError(CameraState.AUTH_FAILED, "Wrong password.", Cause.LOGIN_REFUSED)], [JPEG]]
    )
    camera = play(script)

    wait_until(lambda: camera.state.status().state == CameraState.AUTH_FAILED)
    camera.stop()
    assert camera.join(5)
    assert len(script.first_seqs) == 1


def test_a_camera_that_does_not_answer_is_asked_again_soon_and_one_that_fails_is_not(
    play: Play,
) -> None:
    away: list[Jpeg | Exception | None] = [
        SourceError(CameraState.UNREACHABLE, "Nobody answers.", Cause.NO_ANSWER, answered=False)
    ]
    script = Script(
        [*[away] * 10, [JPEG, SourceError(CameraState.UNREACHABLE, "It ends.", Cause.ENDED)]]
    )
    camera = play(
        script, backoff=Backoff(first=3600), connect_backoff=Backoff(first=0.01, maximum=0.01)
    )

    wait_until(lambda: camera.state.status().detail == "It ends.")
    assert len(script.first_seqs) == 11
    camera.stop()
    assert camera.join(5)
    assert len(script.first_seqs) == 11


@pytest.mark.parametrize(("healthy_after", "failures"), [(60.0, 4), (0.0, 1)])
def test_only_some_time_with_frames_makes_a_camera_healthy(
    play: Play, monkeypatch: pytest.MonkeyPatch, healthy_after: float, failures: int
) -> None:
    monkeypatch.setattr(module, "HEALTHY_SECONDS", healthy_after)
    script = Script([[JPEG]] * 4)
    camera = play(script)

    wait_until(lambda: len(script.first_seqs) == 5)
    assert camera.retry_backoff.failures == failures


def test_only_unpaced_sources_are_thinned_out(play: Play) -> None:
    camera = play(Script([[JPEG] * 20], paced=False))
    wait_until(lambda: "ended" in camera.state.status().detail)
    assert camera.seq <= 2

    camera = play(Script([[JPEG] * 20], paced=True))
    wait_until(lambda: camera.seq == 20)


def test_what_kafka_does_not_take_leaves_a_gap_and_degrades_the_camera(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{free_port()}"
    script = Script([[JPEG] * 10])
    monkeypatch.setattr(module, "open_source", script.open)
    producer = Producer(**{"queue.buffering.max.messages": 4})
    camera = CameraReader(
        ReaderConfig("dock", SourceSettings("demo", "demo:conveyor"), 1280, 80),
        producer,
        "capture-1",
    )
    monkeypatch.setattr(camera, "_failed", lambda *_: 60.0)

    camera.start()
    wait_until(lambda: camera.seq == 10 and camera.state.status().dropped == 6)
    camera.stop()

    assert camera.join(5)
    assert camera.state.status().state == CameraState.DEGRADED
    assert camera.state.status().detail.endswith(
        "Kafka did not take them: the queue to Kafka is full."
    )


def test_it_stops_at_once_also_before_it_started(play: Play) -> None:
    camera = play(Script([]))
    camera.stop()
    assert camera.join(5)

    idle = CameraReader(camera.config, camera.producer, "capture-1")
    assert idle.join(0)
