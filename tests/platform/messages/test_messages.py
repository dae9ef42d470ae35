from __future__ import annotations

import json
import math
from typing import Any

import pytest

from sightline.messages import (
    CameraState,
    CameraStatus,
    DeadLetter,
    Detection,
    Frame,
    FrameRef,
    Prediction,
    Timing,
    WorkerStatus,
)
from sightline.messages.json import MessageError, dump

FRAME = Frame("dock", 7, 1_700_000_000_123_456_789, 1280, 720, b"\xff\xd8jpeg\xff\xd9", offset=42)
PREDICTION = Prediction(
    camera="dock",
    model="qr",
    version="1",
    role="live",
    frame=FRAME.ref,
    predictions=(
        Detection("qr", 0.9, (0.1, 0.2, 0.3, 0.4), text="PARCEL-0038"),
        Detection("still", 1.0),
        Detection("person", 0.5, (0, 0, 1, 1), track=3),
    ),
    timing=Timing(1, 2, 3),
)
STATUS = CameraStatus(
    "dock",
    CameraState.DEGRADED,
    1,
    2,
    "Half of them are lost.",
    9.5,
    1280,
    720,
    "h264",
    100,
    3,
    5_000_000,
    "capture-1",
)


def altered(document: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(document), **changes}).encode()


def test_a_frame_travels_in_value_and_headers() -> None:
    assert FRAME.headers() == {
        "seq": b"7",
        "captured_at": b"1700000000123456789",
        "width": b"1280",
        "height": b"720",
    }
    assert Frame.from_record("dock", FRAME.jpeg, FRAME.headers(), 42) == FRAME


@pytest.mark.parametrize("name", ["seq", "captured_at", "width", "height"])
@pytest.mark.parametrize("value", [None, b"", b"seven", b"7.5", b"\xff"])
def test_a_frame_without_its_headers_is_none(name: str, value: bytes | None) -> None:
    headers = {
        key: text for key, text in {**FRAME.headers(), name: value}.items() if text is not None
    }

    with pytest.raises(MessageError, match="headers are incomplete"):
        Frame.from_record("dock", FRAME.jpeg, headers, 42)


@pytest.mark.parametrize("value", [None, b""])
def test_a_frame_without_a_picture_is_none(value: bytes | None) -> None:
    with pytest.raises(MessageError, match="no picture"):
        Frame.from_record("dock", value, FRAME.headers(), 42)


def test_a_prediction_is_the_json_that_others_rely_on() -> None:
    expected = {
        "camera": "dock",
        "model": "qr",
        "version": "1",
        "role": "live",
        "frame": {
            "seq": 7,
            "captured_at": 1_700_000_000_123_456_789,
            "width": 1280,
            "height": 720,
            "offset": 42,
        },
        "predictions": [
            {"label": "qr", "score": 0.9, "box": [0.1, 0.2, 0.3, 0.4], "text": "PARCEL-0038"},
            {"label": "still", "score": 1.0},
            {"label": "person", "score": 0.5, "box": [0, 0, 1, 1], "track": 3},
        ],
        "timing": {"consumed_at": 1, "started_at": 2, "finished_at": 3},
    }
    # To the byte: the order of fields and the separators, too.
    assert PREDICTION.to_json() == json.dumps(expected, separators=(",", ":")).encode()
    assert PREDICTION.key == "qr@1"


def test_a_prediction_survives_the_journey() -> None:
    assert Prediction.from_json(PREDICTION.to_json()) == PREDICTION


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_is_not_written(score: float) -> None:
    wrong = Prediction(
        "dock", "qr", "1", "live", FRAME.ref, (Detection("qr", score),), Timing(1, 2, 3)
    )

    with pytest.raises(ValueError, match="Out of range"):
        wrong.to_json()


def detections(**changes: Any) -> dict[str, Any]:
    return {"predictions": [{"label": "qr", "score": 0.5, **changes}]}


@pytest.mark.parametrize(
    "changes",
    [
        {"frame": None},
        {"frame": {"seq": 1}},
        {"frame": {"seq": "1", "captured_at": 1, "width": 1, "height": 1, "offset": 1}},
        {"timing": []},
        {"timing": {"consumed_at": 1.5, "started_at": 2, "finished_at": 3}},
        {"predictions": None},
        {"predictions": 5},
        {"predictions": ["qr"]},
        {"predictions": [{"label": "qr"}]},
        {"camera": 5},
        {"role": None},
        {"stranger": 1},
        detections(label=None),
        detections(score="high"),
        detections(score=True),
        detections(score=math.nan),
        detections(box=[0, 0, 1]),
        detections(box=["0", "0", "1", "1"]),
        detections(box=[0, 0, 1, math.inf]),
        detections(box="nans"),
        detections(text=5),
        detections(track="a"),
    ],
    ids=str,
)
def test_what_is_no_prediction_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        Prediction.from_json(altered(PREDICTION.to_json(), **changes))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b"NaN",
        b'{"a": Infinity}',
        b"[" * 100_000,
        b'{"camera": "dock"}',
    ],
)
def test_what_is_no_json_object_is_refused(value: bytes | None) -> None:
    with pytest.raises(MessageError):
        Prediction.from_json(value)
    with pytest.raises(MessageError):
        CameraStatus.from_json(value)


def test_a_cameras_status_survives_the_journey() -> None:
    assert CameraStatus.from_json(STATUS.to_json()) == STATUS
    assert STATUS.key == "camera/dock"
    assert json.loads(STATUS.to_json())["state"] == "degraded"


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "asleep"},
        {"state": None},
        {"since": "yesterday"},
        {"at": 1.5},
        {"detail": None},
        {"fps": "10"},
    ],
    ids=str,
)
def test_what_is_no_status_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        CameraStatus.from_json(altered(STATUS.to_json(), **changes))


def test_only_live_and_degraded_cameras_can_be_watched() -> None:
    assert {state for state in CameraState if state.watchable} == {
        CameraState.LIVE,
        CameraState.DEGRADED,
        CameraState.FROZEN,
        CameraState.BLACK,
    }


def test_a_worker_is_known_by_its_name() -> None:
    status = WorkerStatus("infer-host-1", "infer", 1, "host", 1, 2, 3, {"predicted": 4})

    assert status.key == "worker/infer-host-1"
    assert json.loads(status.to_json())["counters"] == {"predicted": 4}


def letter(message: str = "broken", stacktrace: str = "Traceback ...") -> DeadLetter:
    return DeadLetter(
        "p.cameras.dock.frames",
        0,
        42,
        1_700,
        "p.infer.qr.1",
        "qr",
        "1",
        "builtins.ValueError",
        message,
        stacktrace,
    )


def test_a_dead_letter_says_where_it_came_from_and_why() -> None:
    assert letter().headers() == {
        "dlt-original-topic": b"p.cameras.dock.frames",
        "dlt-original-partition": b"0",
        "dlt-original-offset": b"42",
        "dlt-original-timestamp": b"1700",
        "dlt-consumer-group": b"p.infer.qr.1",
        "dlt-exception-fqcn": b"builtins.ValueError",
        "dlt-exception-message": b"broken",
        "dlt-exception-stacktrace": b"Traceback ...",
        "dlt-model": b"qr",
        "dlt-version": b"1",
        "dlt-delivery-attempt": b"1",
    }


def test_a_dead_letters_texts_are_bounded_and_whole() -> None:
    headers = letter(message="ä" * 5000, stacktrace="start" + "é" * 50_000 + "end").headers()

    assert headers["dlt-exception-message"].decode() == "ä" * 512
    assert len(headers["dlt-exception-stacktrace"]) <= 8 * 1024
    assert headers["dlt-exception-stacktrace"].decode().endswith("éend")


def test_a_dead_letter_carries_any_text() -> None:
    assert (
        letter(message="bad \udcff byte").headers()["dlt-exception-message"] == rb"bad \udcff byte"
    )


def test_json_is_compact() -> None:
    assert dump({"a": [1, 2]}) == b'{"a":[1,2]}'


def test_a_frames_reference_leaves_the_picture_out() -> None:
    assert FRAME.ref == FrameRef(7, FRAME.captured_at, 1280, 720, 42)
