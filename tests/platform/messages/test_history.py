from __future__ import annotations

import json
from typing import Any

import pytest

from sightline.messages import CameraState
from sightline.messages import history as module
from sightline.messages.history import (
    CaptureHistory,
    Interval,
    ModelHistory,
    Quantiles,
    most_frequent,
)
from sightline.messages.json import MessageError

CAPTURE = CaptureHistory(
    1_700_000_010_000_000_000, 10.0, 100, 2, 5_000_000, CameraState.DEGRADED, Quantiles(3.5, 6.0)
)
MODEL = ModelHistory(
    1_700_000_010_000_000_000,
    10.0,
    98,
    1,
    2,
    0,
    Quantiles(5, 9.5),
    Quantiles(1.0, 2.0),
    Quantiles(12.5, 30),
    {"face": 40, "qr": 0},
)


def altered(document: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(document), **changes}).encode()


@pytest.mark.parametrize("said", [CAPTURE, MODEL])
def test_they_travel_as_json(said: CaptureHistory | ModelHistory) -> None:
    assert type(said).from_json(said.to_json()) == said


def test_what_was_not_measured_is_left_out() -> None:
    idle = ModelHistory(1, 10.0, 0, 0, 0, 0)

    assert json.loads(idle.to_json()) == {
        "at": 1,
        "seconds": 10.0,
        "predicted": 0,
        "failed": 0,
        "skipped": 0,
        "errors": 0,
        "labels": {},
    }
    assert ModelHistory.from_json(idle.to_json()) == idle


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"{}",
        b"[]",
        altered(MODEL.to_json(), predicted="98"),
        altered(MODEL.to_json(), predicted=True),
        altered(MODEL.to_json(), model=12),
        altered(MODEL.to_json(), model={"p50": "x", "p95": 1}),
        altered(MODEL.to_json(), labels=["face"]),
        altered(MODEL.to_json(), labels={"face": 1.5}),
        altered(MODEL.to_json(), strange=1),
    ],
)
def test_what_others_write_is_refused(value: bytes | None) -> None:
    with pytest.raises(MessageError):
        ModelHistory.from_json(value)


def test_a_state_that_nobody_knows_is_refused() -> None:
    with pytest.raises(MessageError):
        CaptureHistory.from_json(altered(CAPTURE.to_json(), state="melting"))


def test_quantiles_are_in_milliseconds() -> None:
    assert Quantiles.of([number / 1000 for number in range(100, 0, -1)]) == Quantiles(51.0, 96.0)
    assert Quantiles.of([]) is None


def test_many_labels_become_the_most_frequent_and_the_rest() -> None:
    labels = {f"label-{number}": number for number in range(1, 31)} | {"other": 5}
    kept = most_frequent(labels)

    assert len(kept) == 21
    assert kept["label-30"] == 30
    assert "label-10" not in kept
    assert kept["other"] == sum(range(1, 11)) + 5
    assert most_frequent({"other": 2, "face": 1}) == {"other": 2, "face": 1}


def test_intervals_end_at_whole_tens_of_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 1_700_000_003.0

        @classmethod
        def time(cls) -> float:
            return cls.now

    monkeypatch.setattr(module, "time", Clock)
    interval = Interval()
    over = []
    for seconds in (1, 5.9, 0.2, 0.2, 9, 1, 25, -30):
        Clock.now += seconds
        over.append(interval.over())

    assert over == [False, False, True, False, False, True, True, True]
