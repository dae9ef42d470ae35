from __future__ import annotations

from sightline.base.frame_rate import FrameRateLimiter
from sightline.messages import Frame
from streaming.hub.subscriptions import PREDICTIONS_PER_CAMERA, PredictionMessage
from streaming.wall.flow_control import IN_TIME, LATE_SECONDS
from streaming.wall.tiles import Tile


def frame(seq: int) -> Frame:
    return Frame("gate", seq, seq, 320, 180, b"")


def tile() -> Tile:
    return Tile("gate", 640, FrameRateLimiter(1000))


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
    """A frame that is there goes or is left out: a rate kept by waiting would stay late for ever
    after a burst at the camera's own rate.
    """
    it = Tile("gate", 640, FrameRateLimiter(10))
    burst = [
        Frame("gate", seq, 1_000_000_000 + at * 1_000_000, 320, 180, b"")
        for seq, at in enumerate([0, 10, 20, 100, 200, 300, 400])
    ]
    assert [it.offer(item) for item in burst] == [True, False, False, True, True, True, True]


def late(it: Tile, camera: Frame, count: int) -> list[int]:
    """The sizes that a viewer gets who acknowledges each picture late."""
    sizes = []
    for seq in range(count):
        sizes.append(it.size_of(camera))
        it.went(
            Frame("gate", seq, seq, camera.width, camera.height, b""), sizes[-1], 100.0 + 10 * seq
        )
        it.flow.acknowledge(seq, 100.0 + 10 * seq + 1.5 * LATE_SECONDS)
    return sizes


def test_a_late_viewer_gets_smaller_pictures_than_it_asked_for() -> None:
    assert late(
        Tile("gate", 1280, FrameRateLimiter(1000)), Frame("gate", 1, 1, 900, 506, b""), 8
    ) == [
        1280,
        1280,
        640,
        480,
        320,
        160,
        160,
        160,
    ]


def test_below_the_smallest_size_nothing_is_taken_that_must_be_given_back() -> None:
    """libjpeg makes 240 pixels of 1920, not 160."""
    it = Tile("gate", 1920, FrameRateLimiter(1000))
    assert late(it, Frame("gate", 1, 1, 1920, 1080, b""), 50)[-1] == 160
    assert it.flow.steps == 6


def predicted(*seqs: int) -> list[PredictionMessage]:
    return [PredictionMessage((seq, seq), f"for {seq}") for seq in seqs]


def slow_tile() -> Tile:
    """One whose viewer has acknowledged a picture late; picture 1 was sent last, at 102."""
    it = tile()
    late(it, frame(0), 1)
    it.went(frame(1), 160, 102.0)
    return it


def test_predictions_go_out_at_once_whatever_frame_they_are_for() -> None:
    assert tile().due(predicted(1, 7, 3), 100.0) == ["for 1", "for 7", "for 3"]


def test_on_a_slow_line_only_what_is_for_the_pictures_that_are_sent() -> None:
    it = slow_tile()
    assert it.due(predicted(0, 1, 2), 102.1) == ["for 1"]
    assert it.due(predicted(3, 1, 4), 102.2) == ["for 1"], "a second model's comes later"
    it.went(frame(3), 160, 102.4)
    assert it.due((), 102.4) == ["for 3"], "it waited for its picture"
    it.went(frame(4), 160, 102.6)
    assert it.due(predicted(4), 102.6) == ["for 4", "for 4"]


def test_a_picture_that_does_not_arrive_is_a_slow_line_before_it_is_acknowledged() -> None:
    it = tile()
    it.went(frame(1), 640, 100.0)
    assert it.due(predicted(2), 100.0 + LATE_SECONDS) == ["for 2"]
    assert it.due(predicted(1, 2), 100.1 + LATE_SECONDS) == ["for 1"]


def test_what_waits_goes_out_when_the_line_is_good_again() -> None:
    it = slow_tile()
    assert it.due(predicted(500), 102.1) == []
    for seq in range(1, 1 + IN_TIME):
        it.flow.acknowledge(seq, 102.2)
        it.went(frame(seq + 1), 640, 102.2)
    assert it.due(predicted(501), 102.3) == ["for 500", "for 501"]


def test_no_more_wait_than_are_kept() -> None:
    it = slow_tile()
    for seq in range(2, 10 * PREDICTIONS_PER_CAMERA):
        assert it.due(predicted(seq), 102.1) == []
    assert len(it.waiting) == PREDICTIONS_PER_CAMERA
