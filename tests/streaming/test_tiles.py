from __future__ import annotations

from sightline.messages import Frame
from sightline.pace import Pace
from streaming.credit import LATE_SECONDS
from streaming.tiles import Tile


def frame(seq: int) -> Frame:
    return Frame("gate", seq, seq, 320, 180, b"")


def tile() -> Tile:
    return Tile("gate", 640, Pace(1000))


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


def late(it: Tile, camera: Frame, count: int) -> list[int]:
    """The sizes that a viewer gets who acknowledges each picture late."""
    sizes = []
    for seq in range(count):
        sizes.append(it.size_of(camera))
        it.went(Frame("gate", seq, seq, camera.width, camera.height, b""), sizes[-1], 100.0 + 10 * seq)
        it.credit.acknowledge(seq, 100.0 + 10 * seq + 1.5 * LATE_SECONDS)
    return sizes


def test_a_late_viewer_gets_smaller_pictures_than_it_asked_for() -> None:
    assert late(Tile("gate", 1280, Pace(1000)), Frame("gate", 1, 1, 900, 506, b""), 8) == [1280, 1280, 640, 480, 320, 160, 160, 160]


def test_below_the_smallest_size_nothing_is_taken_that_must_be_given_back() -> None:
    """libjpeg makes 240 pixels of 1920, not 160."""
    it = Tile("gate", 1920, Pace(1000))
    assert late(it, Frame("gate", 1, 1, 1920, 1080, b""), 50)[-1] == 160
    assert it.credit.steps == 6
