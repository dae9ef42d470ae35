from __future__ import annotations

from inference.frames.join import MAX_FRAMES, FrameJoiner
from sightline.messages import Frame, Prediction, Timing

QR, MOTION = "qr@1", "motion@1"
WAIT_SECONDS = 0.3


def frame(seq: int, captured_at: int = 0) -> Frame:
    return Frame("dock", seq, captured_at or seq * 1000, 64, 36, b"jpeg")


def prediction(of: Frame, key: str = QR) -> Prediction:
    model, version = key.split("@")
    return Prediction("dock", model, version, "live", of.ref, (), Timing(1, 2, 3))


def joining(*models: str) -> FrameJoiner[int]:
    return FrameJoiner(models, WAIT_SECONDS)


def add(joiner: FrameJoiner[int], of: Frame) -> None:
    joiner.add_frame(of, of.seq, 0)


def ready(joiner: FrameJoiner[int], now: float) -> list[tuple[int, set[str]]]:
    return [(joined.item, set(joined.predictions)) for joined in joiner.ready(now)]


def test_without_models_a_frame_leaves_at_once() -> None:
    joiner = joining()
    add(joiner, frame(1))

    assert ready(joiner, 0) == [(1, set())]
    assert ready(joiner, 0) == []


def test_a_frame_waits_for_every_model() -> None:
    joiner = joining(QR, MOTION)
    add(joiner, frame(1))
    joiner.add_prediction(prediction(frame(1), QR))
    assert ready(joiner, 0.1) == []

    joiner.add_prediction(prediction(frame(1), MOTION))
    assert ready(joiner, 0.1) == [(1, {QR, MOTION})]


def test_a_frame_leaves_after_its_time_with_what_has_come() -> None:
    joiner = joining(QR, MOTION)
    add(joiner, frame(1))
    joiner.add_prediction(prediction(frame(1), QR))

    assert ready(joiner, WAIT_SECONDS - 0.01) == []
    assert ready(joiner, WAIT_SECONDS) == [(1, {QR})]


def test_frames_that_the_models_skipped_are_dropped() -> None:
    joiner = joining(QR)
    for seq in (1, 2, 3, 4):
        add(joiner, frame(seq))
    joiner.add_prediction(prediction(frame(3)))

    assert ready(joiner, 0.1) == [(3, {QR})]
    assert ready(joiner, WAIT_SECONDS) == [(4, set())]


def test_frames_leave_in_their_order() -> None:
    joiner = joining(QR)
    for seq in (1, 2, 3):
        add(joiner, frame(seq))
    for seq in (3, 1, 2):
        joiner.add_prediction(prediction(frame(seq)))

    assert [seq for seq, _ in ready(joiner, 0)] == [1, 2, 3]


def test_a_number_that_comes_again_is_another_frame() -> None:
    joiner = joining(QR)
    add(joiner, frame(1, captured_at=5000))

    joiner.add_prediction(prediction(frame(1, captured_at=1000)))

    assert ready(joiner, 0) == []


def test_a_prediction_may_overtake_its_frame() -> None:
    joiner = joining(QR, MOTION)
    joiner.add_prediction(prediction(frame(1), QR))
    add(joiner, frame(1))
    joiner.add_prediction(prediction(frame(1), MOTION))

    assert ready(joiner, 0) == [(1, {QR, MOTION})]


def test_only_so_many_predictions_wait_for_their_frames() -> None:
    joiner = joining(QR)
    for seq in range(MAX_FRAMES + 1):
        joiner.add_prediction(prediction(frame(seq)))
    for seq in (0, 1):
        add(joiner, frame(seq))

    assert ready(joiner, 0) == [(1, {QR})]


def test_models_that_are_not_awaited_are_not_drawn() -> None:
    joiner = joining(QR)
    add(joiner, frame(1))
    joiner.add_prediction(prediction(frame(1), "shadow@1"))
    joiner.add_prediction(prediction(frame(1), QR))

    assert ready(joiner, 0) == [(1, {QR})]


def test_only_so_many_frames_wait() -> None:
    joiner = joining(QR)
    for seq in range(MAX_FRAMES + 10):
        add(joiner, frame(seq))

    assert [seq for seq, _ in ready(joiner, WAIT_SECONDS)] == list(range(10, MAX_FRAMES + 10))


def test_predictions_on_older_frames_come_too_late() -> None:
    joiner: FrameJoiner[int] = FrameJoiner([QR])
    for seq in range(1, 5):
        add(joiner, frame(seq))
    joiner.add_prediction(prediction(frame(3)))
    assert ready(joiner, 1e9) == [(3, {QR})]

    joiner.add_prediction(prediction(frame(2)))
    assert ready(joiner, 1e9) == []

    joiner.add_prediction(prediction(frame(4)))
    assert ready(joiner, 1e9) == [(4, {QR})]


def test_what_waits_for_a_first_stage_is_bounded() -> None:
    joiner: FrameJoiner[int] = FrameJoiner([QR])
    for seq in range(10 * MAX_FRAMES):
        add(joiner, frame(seq))
        joiner.add_prediction(prediction(frame(100_000 + seq)))

    assert len(joiner._frames) == len(joiner._early) == MAX_FRAMES
