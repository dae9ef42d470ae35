from __future__ import annotations

from sightline.messages import Frame
from streaming.pace import Allowance, Pace
from streaming.tiles import PATIENCE_SECONDS, Tile


def frame(seq: int) -> Frame:
    return Frame("gate", seq, seq, 320, 180, b"")


def test_the_rate_is_kept_without_drift() -> None:
    pace, gone, now = Pace(10), 0, 100.0
    while now < 110:
        if pace.wait(now) == 0:
            pace.went(now)
            gone += 1
        now += 0.007
    assert 99 <= gone <= 101


def test_frames_that_come_at_the_rate_with_jitter_all_go() -> None:
    pace, gone = Pace(10), 0
    for number in range(100):
        now = 100 + number * 0.1 + (0.02 if number % 2 else 0)
        if pace.wait(now) == 0:
            pace.went(now)
            gone += 1
    assert gone >= 98


def test_a_pause_is_not_made_up_for() -> None:
    pace = Pace(10)
    pace.went(100.0)
    gone = 0
    while pace.wait(200.0) == 0:
        pace.went(200.0)
        gone += 1
    assert gone <= 2


def test_an_allowance_gives_a_burst_and_then_the_rate() -> None:
    allowance = Allowance(rate=20, burst=50)
    assert sum(allowance.take(100.0) for _ in range(100)) == 50
    assert sum(allowance.take(101.0) for _ in range(100)) == 20
    assert sum(allowance.take(200.0) for _ in range(100)) == 50


def tile() -> Tile:
    return Tile("gate", 640, Pace(1000))


def test_two_frames_may_be_under_way() -> None:
    it = tile()
    it.went(frame(1), 100.0)
    assert it.wait(100.1) == 0
    it.went(frame(2), 100.1)
    assert it.wait(100.2) > 0
    it.acknowledge(1)
    assert it.wait(100.3) == 0


def test_an_acknowledgement_covers_the_frames_before_it() -> None:
    it = tile()
    it.went(frame(8), 100.0)
    it.went(frame(3), 100.1)  # the capture worker began to count anew
    it.acknowledge(3)
    assert it.unacknowledged == {}


def test_an_unknown_acknowledgement_changes_nothing() -> None:
    it = tile()
    it.went(frame(1), 100.0)
    it.went(frame(2), 100.1)
    it.acknowledge(77)
    assert it.wait(100.2) > 0


def test_a_viewer_that_never_acknowledges_is_tried_again_after_a_while() -> None:
    it = tile()
    it.went(frame(1), 100.0)
    it.went(frame(2), 100.1)
    assert it.wait(101.0) == PATIENCE_SECONDS - 1
    assert it.wait(100.0 + PATIENCE_SECONDS) == 0
