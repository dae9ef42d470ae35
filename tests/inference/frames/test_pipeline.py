"""A pipeline on the embedded broker. One pipeline serves all tests: joining its group takes
seconds.
"""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from inference import runtimes
from inference.frames import pipeline as pipeline_module
from inference.frames.pipeline import FramePipeline
from inference.plans import CameraDeployment
from inference.runtimes.base import Picture
from inference.runtimes.errors import InferenceError
from sightline.kafka import Producer, Record, topics
from sightline.messages import Detection, Frame, ModelState
from tests.inference.fakes import DETECTIONS, FakeRuntime, plan
from tests.inference.pictures import blank, encode
from tests.servers.waiting import wait_until
from tests.support import frame, own_topics, reading, send_frame

JPEG = encode(blank(64, 36))
CAMERAS = ("dock", "gate", "roof")


@pytest.fixture(scope="module")
def runtime() -> FakeRuntime:
    return FakeRuntime()


@pytest.fixture(scope="module")
def pipeline(embedded_address: str, runtime: FakeRuntime) -> Iterator[FramePipeline]:
    with own_topics(embedded_address), pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtimes, "create", lambda *_, **__: runtime)
        pipeline = FramePipeline(plan(*CAMERAS), Producer())
        pipeline.start()
        wait_until(
            lambda: send(pipeline, "roof") and pipeline.predicted, 20, "the pipeline to join"
        )
        yield pipeline
        pipeline.stop()
        assert pipeline.join(10)
        assert runtime.closes == 1


@pytest.fixture(autouse=True)
def as_new(pipeline: FramePipeline, runtime: FakeRuntime) -> None:
    runtime.detect = lambda _: DETECTIONS
    pipeline.update(plan(*CAMERAS))


_numbers = itertools.count(100)


def send(pipeline: FramePipeline, camera: str = "dock", jpeg: bytes = JPEG) -> Frame:
    sent = frame(camera, jpeg, seq=next(_numbers))
    send_frame(pipeline.producer, sent)
    return sent


def prediction_of(sent: Frame) -> Record:
    """The record of the prediction on a frame, once it is there."""

    def about(record: Record) -> bool:
        return bool(json.loads(record.value or b"")["frame"]["seq"] == sent.seq)

    with reading(topics.predictions(sent.camera)) as reader:
        return wait_until(lambda: list(filter(about, reader.read())), 15, "the prediction")[0]


def dead_letter_of(sent: Frame) -> Record:
    """The dead letter of a frame, once it is there."""

    def about(record: Record) -> bool:
        return record.header_map.get("seq") == b"%d" % sent.seq

    with reading(topics.errors("fake", "1")) as reader:
        return wait_until(lambda: list(filter(about, reader.read())), 15, "the dead letter")[0]


def test_predictions_are_what_others_rely_on(pipeline: FramePipeline) -> None:
    before = time.time_ns()
    sent = send(pipeline)

    record = prediction_of(sent)

    assert record.key == b"fake@1"
    document = json.loads(record.value or b"")
    timing, offset = document.pop("timing"), document["frame"].pop("offset")
    assert document == {
        "camera": "dock",
        "model": "fake",
        "version": "1",
        "role": "live",
        "frame": {"seq": sent.seq, "captured_at": sent.captured_at, "width": 64, "height": 36},
        "predictions": [
            {"label": "person", "score": 0.9, "box": [0.1, 0.2, 0.3, 0.4], "track": 3},
            {"label": "person", "score": 0.3, "box": [0.5, 0.5, 0.6, 0.6]},
        ],
    }
    assert timing.keys() == {"consumed_at", "started_at", "finished_at"}
    assert (
        before
        < timing["consumed_at"]
        <= timing["started_at"]
        <= timing["finished_at"]
        < time.time_ns()
    )
    with reading(topics.frames("dock")) as reader:
        assert reader.wait(offset + 1)[offset].header_map["seq"] == b"%d" % sent.seq


def test_the_size_is_the_pictures_own_whatever_its_headers_say(pipeline: FramePipeline) -> None:
    sent = send(pipeline, jpeg=encode(blank(128, 96)))

    said = json.loads(prediction_of(sent).value or b"")["frame"]

    assert (sent.width, sent.height) == (64, 36)
    assert (said["width"], said["height"]) == (128, 96)


def test_the_model_is_given_the_picture(pipeline: FramePipeline, runtime: FakeRuntime) -> None:
    sent = send(pipeline)
    prediction_of(sent)

    given = next(picture for picture in runtime.pictures if picture.seq == sent.seq)
    assert (given.camera, given.captured_at, given.jpeg) == ("dock", sent.captured_at, JPEG)


def test_threshold_and_role_are_those_of_the_deployment(
    pipeline: FramePipeline, runtime: FakeRuntime
) -> None:
    changed = replace(
        plan(*CAMERAS),
        deployments=(
            ("dock", CameraDeployment("shadow", 0.5)),
            ("gate", CameraDeployment("live", 0.0)),
            ("roof", CameraDeployment("live", 0.95)),
        ),
    )
    pipeline.update(changed)

    documents = [
        json.loads(prediction_of(send(pipeline, camera)).value or b"") for camera in CAMERAS
    ]

    assert [document["role"] for document in documents] == ["shadow", "live", "live"]
    assert [len(document["predictions"]) for document in documents] == [1, 2, 0]
    assert runtime.loads == 1


@pytest.mark.parametrize("jpeg", [b"\xff\xd8 cut off", b"no picture at all"])
def test_a_corrupt_frame_goes_to_the_errors_unchanged_and_the_next_is_processed(
    pipeline: FramePipeline, runtime: FakeRuntime, jpeg: bytes
) -> None:
    def decode(picture: Picture) -> tuple[Detection, ...]:
        picture.gray()
        return DETECTIONS

    runtime.detect = decode
    sent = send(pipeline, jpeg=jpeg)
    dead_letter = dead_letter_of(sent)

    assert (dead_letter.key, dead_letter.value) == (b"dock", jpeg)
    headers = dead_letter.header_map
    assert sent.headers().items() <= headers.items()
    assert headers["dlt-original-topic"].decode() == topics.frames("dock").name
    assert (headers["dlt-original-partition"], headers["dlt-delivery-attempt"]) == (b"0", b"1")
    assert headers["dlt-original-timestamp"] == b"%d" % (sent.captured_at // 1_000_000)
    assert headers["dlt-consumer-group"].decode() == topics.inference_group("fake", "1")
    assert headers["dlt-exception-fqcn"] == b"inference.runtimes.errors.InferenceError"
    assert headers["dlt-exception-message"]
    assert b"Traceback" in headers["dlt-exception-stacktrace"]
    assert (headers["dlt-model"], headers["dlt-version"]) == (b"fake", b"1")
    with reading(topics.frames("dock")) as reader:
        offset = int(headers["dlt-original-offset"])
        assert reader.wait(offset + 1)[offset].value == jpeg
    prediction_of(send(pipeline))


@pytest.mark.parametrize("value", [b"", None])
def test_a_record_without_a_picture_goes_to_the_errors(
    pipeline: FramePipeline, value: bytes | None
) -> None:
    sent = frame("dock", seq=next(_numbers))
    pipeline.producer.send(topics.frames("dock"), value, key="dock", headers=sent.headers())

    dead_letter = dead_letter_of(sent)

    assert dead_letter.value == value
    assert dead_letter.header_map["dlt-exception-message"] == b"the record has no picture"
    prediction_of(send(pipeline))


def test_a_record_without_headers_goes_to_the_errors(pipeline: FramePipeline) -> None:
    seq = b"%d" % next(_numbers)
    pipeline.producer.send(topics.frames("dock"), JPEG, key="dock", headers={"seq": seq})

    dead_letter = dead_letter_of(frame("dock", seq=int(seq)))

    assert dead_letter.value == JPEG
    assert b"headers are incomplete" in dead_letter.header_map["dlt-exception-message"]


class GaveUp(BaseException):
    """As several time-out libraries raise."""


class OddError(Exception):
    """An exception that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raising(error: BaseException) -> Callable[[Picture], tuple[Detection, ...]]:
    def detect(_: Picture) -> tuple[Detection, ...]:
        raise error

    return detect


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("what?"), b"builtins.ValueError"),
        (MemoryError(), b"builtins.MemoryError"),
        (SystemExit(1), b"builtins.SystemExit"),
        (KeyboardInterrupt(), b"builtins.KeyboardInterrupt"),
        (GaveUp(), b"test_pipeline.GaveUp"),
        (
            InferenceError("The model server is away.", permanent=False),
            b"inference.runtimes.errors.InferenceError",
        ),
        (RuntimeError("bad \udcff text"), b"builtins.RuntimeError"),
        (OddError(), b"OddError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_a_model_raises_costs_one_frame(
    pipeline: FramePipeline, runtime: FakeRuntime, error: BaseException, name: bytes
) -> None:
    runtime.detect = raising(error)
    dead_letter = dead_letter_of(send(pipeline))
    runtime.detect = lambda _: DETECTIONS

    assert dead_letter.value == JPEG
    assert dead_letter.header_map["dlt-exception-fqcn"].endswith(name)
    prediction_of(send(pipeline))


def has_failed(pipeline: FramePipeline, times: int) -> bool:
    return pipeline.failed >= times


def test_a_model_that_fails_on_every_frame_does_not_flood_the_dead_letters(
    pipeline: FramePipeline, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "MAX_DEAD_LETTERS_IN_A_ROW", 3)
    monkeypatch.setattr(pipeline_module, "DEAD_LETTER_SECONDS", 1000.0)
    runtime.detect = raising(ValueError("always"))
    with reading(topics.errors("fake", "1")) as reader:
        before = pipeline.failed
        for number in range(1, 7):
            send(pipeline)
            wait_until(partial(has_failed, pipeline, before + number), 15, "the failure")
        runtime.detect = lambda _: DETECTIONS
        prediction_of(send(pipeline))
        assert (
            1
            <= sum(
                b"always" in record.header_map["dlt-exception-message"] for record in reader.read()
            )
            <= 3
        )


def test_secrets_do_not_travel_with_dead_letters(
    pipeline: FramePipeline, runtime: FakeRuntime
) -> None:
    runtime.detect = raising(
        ConnectionError("cannot reach https://operator:s3cret@models.example/v1?token=s3cret")
    )
    headers = dead_letter_of(send(pipeline)).header_map

    assert b"models.example" in headers["dlt-exception-message"]
    assert b"models.example" in headers["dlt-exception-stacktrace"]
    assert not any(b"s3cret" in value for value in headers.values())


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_no_number_is_an_error(
    pipeline: FramePipeline, runtime: FakeRuntime, score: float
) -> None:
    runtime.detect = lambda _: (Detection("person", score),)

    assert b"score" in dead_letter_of(send(pipeline)).header_map["dlt-exception-message"]


def test_a_box_that_is_no_number_is_an_error(pipeline: FramePipeline, runtime: FakeRuntime) -> None:
    runtime.detect = lambda _: (Detection("person", 0.5, (0.0, math.nan, 1.0, 1.0)),)

    assert b"box" in dead_letter_of(send(pipeline)).header_map["dlt-exception-message"]


def test_a_label_that_is_no_text_is_an_error(pipeline: FramePipeline, runtime: FakeRuntime) -> None:
    runtime.detect = lambda _: (Detection(object(), 0.5),)  # type: ignore[arg-type]

    assert dead_letter_of(send(pipeline)).value == JPEG
    runtime.detect = lambda _: DETECTIONS
    prediction_of(send(pipeline))


def test_none_in_place_of_detections_is_an_error(
    pipeline: FramePipeline, runtime: FakeRuntime
) -> None:
    runtime.detect = lambda _: None  # type: ignore[assignment,return-value]

    assert dead_letter_of(send(pipeline)).value == JPEG


def test_a_slow_model_skips_frames_and_goes_on_with_the_newest(
    pipeline: FramePipeline, runtime: FakeRuntime
) -> None:
    prediction_of(send(pipeline))  # what came before is done with
    skipped = pipeline.skipped
    runtime.free.clear()
    first = send(pipeline)
    wait_until(lambda: runtime.pictures[-1].seq == first.seq, what="the model to be busy")
    frames = [send(pipeline, camera) for _ in range(20) for camera in ("dock", "gate")]
    wait_until(
        lambda: (
            pipeline.skipped
            - skipped
            + len(pipeline.prefetch._ready)
            + len(pipeline.latest._frames)
            == 40
        ),
        what="all frames to be read",
    )
    wait_until(
        lambda: all(item.is_old() for item in pipeline.prefetch._ready), what="these to be old"
    )
    runtime.free.set()

    prediction_of(frames[-1])
    prediction_of(frames[-2])
    prediction_of(send(pipeline))
    assert pipeline.skipped - skipped == 38
    tail = [picture.seq for picture in runtime.pictures][-4:-1]
    assert tail[0] == first.seq
    assert sorted(tail[1:]) == [frames[-2].seq, frames[-1].seq]


def test_frames_of_a_camera_that_is_taken_away_are_left_alone(
    pipeline: FramePipeline, runtime: FakeRuntime
) -> None:
    pipeline.update(plan("dock"))
    away = send(pipeline, "gate")
    prediction_of(send(pipeline, "dock"))

    assert away.seq not in {picture.seq for picture in runtime.pictures}


def test_a_model_that_does_not_load_is_tried_again(
    pipeline: FramePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = FakeRuntime()
    answers: list[FakeRuntime | None] = [None, runtime]

    def create(*_: object, **__: object) -> FakeRuntime:
        if (answer := answers.pop(0)) is None:
            raise InferenceError("The file is not there.", permanent=True)
        return answer

    monkeypatch.setattr(runtimes, "create", create)
    other = FramePipeline(plan("dock", model="late"), pipeline.producer)
    other.start()
    wait_until(lambda: other.status().detail == "The file is not there.")
    assert other.status().state is ModelState.FAILING
    wait_until(lambda: runtime.loads == 1)
    wait_until(lambda: other.status().state is ModelState.RUNNING)
    other.stop()

    assert other.join(10)
    assert runtime.closes == 1
