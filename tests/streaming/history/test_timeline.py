from __future__ import annotations

import pytest

from sightline.messages import CameraState
from sightline.messages.history import CaptureHistory, ModelHistory, Quantiles
from streaming.history.timeline import Grid, capture_rows, model_rows

SECOND = 1_000_000_000
START = 1_700_000_000


def captured(
    end: float,
    frames: int = 100,
    *,
    seconds: float = 10.0,
    state: CameraState = CameraState.LIVE,
    **more: int,
) -> CaptureHistory:
    return CaptureHistory(
        round((START + end) * SECOND),
        seconds,
        frames,
        more.get("dropped", 0),
        more.get("sent", 0),
        state,
    )


def said(
    end: float, predicted: int = 50, *, seconds: float = 10.0, model: Quantiles | None = None
) -> ModelHistory:
    return ModelHistory(round((START + end) * SECOND), seconds, predicted, 0, 0, 0, model=model)


def saw(end: float, **labels: int) -> ModelHistory:
    return ModelHistory(round((START + end) * SECOND), 10.0, 50, 0, 0, 0, labels=labels)


@pytest.mark.parametrize(
    ("minutes", "step", "count"),
    [(1, 10, 6), (60, 10, 360), (120, 10, 720), (121, 60, 121), (360, 60, 360), (1440, 120, 720)],
)
def test_long_spans_have_longer_steps(minutes: int, step: int, count: int) -> None:
    grid = Grid.ending(START + 123.4, minutes)

    assert (grid.step, grid.count) == (step, count)
    assert len(grid.at) == count
    assert grid.at[1] - grid.at[0] == step * 1000
    assert 0 <= START + 123.4 - 10 - grid.at[-1] / 1000 + step < 2 * step


def test_a_record_is_where_most_of_its_interval_is_and_gaps_are_seen() -> None:
    grid = Grid(START, 10, 4)
    rows = capture_rows(
        [captured(10.3), captured(20.9), captured(39.0, seconds=8.0, dropped=3, sent=80_000)], grid
    )

    assert grid.at == [(START + seconds) * 1000 for seconds in (0, 10, 20, 30)]
    assert rows["fps"] == [10, 10, None, 12.5]
    assert rows["dropped"] == [0, 0, None, 3]
    assert rows["kbps"] == [0, 0, None, 80]
    assert rows["kafka_p95"] == [None] * 4
    assert rows["state"] == ["live", "live", None, "live"]


def test_records_outside_the_span_are_left_out() -> None:
    rows = capture_rows([captured(-5), captured(10), captured(45)], Grid(START, 10, 2))

    assert rows["fps"] == [10, None]


def test_the_state_is_the_last_one_in_the_step() -> None:
    rows = capture_rows(
        [
            captured(50, state=CameraState.FROZEN),
            captured(20),
            captured(30, state=CameraState.STALLED),
        ],
        Grid(START, 60, 1),
    )

    assert rows["state"] == ["frozen"]


def test_workers_that_share_a_model_are_added_up_and_those_that_follow_each_other_are_not() -> None:
    side_by_side = [said(10, 50), said(10.2, 30)]
    in_turn = [said(24, 20, seconds=4), said(30, 30, seconds=6)]
    rows = model_rows([*side_by_side, *in_turn], Grid(START, 10, 3))

    assert rows["predicted"] == [pytest.approx(8, abs=0.2), None, pytest.approx(5)]


def test_of_several_records_the_worst_percentile_is_kept() -> None:
    told = [
        said(20, model=Quantiles(10, 20)),
        said(30, model=Quantiles(11, 90)),
        said(40, model=Quantiles(30, 40)),
        said(50, 0),
    ]
    rows = model_rows(told, Grid(START, 60, 1))

    assert (rows["model_p50"], rows["model_p95"]) == ([11], [90])
    assert rows["transport_p50"] == [None]


def test_labels_have_a_row_each_the_most_frequent_first() -> None:
    rows = model_rows([saw(10, face=2, qr=9), saw(30, face=30, other=1)], Grid(START, 10, 3))

    assert list(rows["labels"].items()) == [
        ("face", [2, None, 30]),
        ("qr", [9, None, 0]),
        ("other", [0, None, 1]),
    ]


def test_no_more_than_twenty_labels_are_told_apart() -> None:
    told = [
        saw(10, **{f"label{number}": number for number in range(1, 16)}),
        saw(20, **{f"label{number}": number for number in range(10, 31)}),
    ]
    rows = model_rows(told, Grid(START, 10, 2))["labels"]

    assert len(rows) == 21
    assert [sum(row[place] for row in rows.values()) for place in (0, 1)] == [
        sum(range(1, 16)),
        sum(range(10, 31)),
    ]
