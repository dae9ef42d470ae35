from __future__ import annotations

from sightline.messages import Frame
from sightline.pace import Pace
from streaming.tiles import PATIENCE_SECONDS, Tile


def frame(seq: int) -> Frame:
    return Frame("gate", seq, seq, 320, 180, b"")


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


def test_a_frame_is_offered_once() -> None:
    it = tile()
    assert it.offer(frame(1))
    assert not it.offer(frame(1))


def test_a_picture_that_stands_still_is_offered_again_in_another_shape() -> None:
    it = tile()
    assert it.offer(frame(1))
    it.reshape(1000, 320)
    assert it.offer(frame(1))


def test_a_burst_of_frames_delays_none_that_follow() -> None:
    """A frame that is there goes or is left out: a rate kept by waiting would stay late for ever after a burst at the camera's own rate."""
    it = Tile("gate", 640, Pace(10))
    burst = [Frame("gate", seq, 1_000_000_000 + at * 1_000_000, 320, 180, b"") for seq, at in enumerate([0, 10, 20, 100, 200, 300, 400])]
    assert [it.offer(item) for item in burst] == [True, False, False, True, True, True, True]
    assert it.wait(0.0) == 0
