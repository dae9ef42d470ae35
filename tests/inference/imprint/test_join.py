from __future__ import annotations

from inference.imprint.join import MAX_FRAMES, WAIT_SECONDS, Joiner
from sightline.messages import Frame, Prediction, Timing

QR, MOTION = "qr@1", "motion@1"


def frame(seq: int, captured_at: int = 0) -> Frame:
    return Frame("dock", seq, captured_at or seq * 1000, 64, 36, b"jpeg")


def prediction(of: Frame, key: str = QR) -> Prediction:
    model, version = key.split("@")
    return Prediction("dock", model, version, "live", of.ref, (), Timing(1, 2, 3))


def ready(joiner: Joiner, now: float) -> list[tuple[int, set[str]]]:
    return [(held.frame.seq, set(held.predictions)) for held in joiner.ready(now)]


def test_without_models_a_frame_leaves_at_once() -> None:
    joiner = Joiner()
    joiner.add_frame(frame(1), 0)

    assert ready(joiner, 0) == [(1, set())]
    assert ready(joiner, 0) == []


def test_a_frame_waits_for_every_model() -> None:
    joiner = Joiner([QR, MOTION])
    joiner.add_frame(frame(1), 0)
    joiner.add_prediction(prediction(frame(1), QR))
    assert ready(joiner, 0.1) == []

    joiner.add_prediction(prediction(frame(1), MOTION))
    assert ready(joiner, 0.1) == [(1, {QR, MOTION})]


def test_a_frame_leaves_after_its_time_with_what_has_come() -> None:
    joiner = Joiner([QR, MOTION])
    joiner.add_frame(frame(1), 0)
    joiner.add_prediction(prediction(frame(1), QR))

    assert ready(joiner, WAIT_SECONDS - 0.01) == []
    assert ready(joiner, WAIT_SECONDS) == [(1, {QR})]


def test_frames_that_the_models_skipped_are_dropped() -> None:
    joiner = Joiner([QR])
    for seq in (1, 2, 3, 4):
        joiner.add_frame(frame(seq), 0)
    joiner.add_prediction(prediction(frame(3)))

    assert ready(joiner, 0.1) == [(3, {QR})]
    assert ready(joiner, WAIT_SECONDS) == [(4, set())]


def test_frames_leave_in_their_order() -> None:
    joiner = Joiner([QR])
    for seq in (1, 2, 3):
        joiner.add_frame(frame(seq), 0)
    for seq in (3, 1, 2):
        joiner.add_prediction(prediction(frame(seq)))

    assert [seq for seq, _ in ready(joiner, 0)] == [1, 2, 3]


def test_a_number_that_comes_again_is_another_frame() -> None:
    joiner = Joiner([QR])
    joiner.add_frame(frame(1, captured_at=5000), 0)

    joiner.add_prediction(prediction(frame(1, captured_at=1000)))

    assert ready(joiner, 0) == []


def test_a_prediction_may_overtake_its_frame() -> None:
    joiner = Joiner([QR, MOTION])
    joiner.add_prediction(prediction(frame(1), QR))
    joiner.add_frame(frame(1), 0)
    joiner.add_prediction(prediction(frame(1), MOTION))

    assert ready(joiner, 0) == [(1, {QR, MOTION})]


def test_only_so_many_predictions_wait_for_their_frames() -> None:
    joiner = Joiner([QR])
    for seq in range(MAX_FRAMES + 1):
        joiner.add_prediction(prediction(frame(seq)))
    for seq in (0, 1):
        joiner.add_frame(frame(seq), 0)

    assert ready(joiner, 0) == [(1, {QR})]


def test_models_that_are_not_awaited_are_not_drawn() -> None:
    joiner = Joiner([QR])
    joiner.add_frame(frame(1), 0)
    joiner.add_prediction(prediction(frame(1), "shadow@1"))
    joiner.add_prediction(prediction(frame(1), QR))

    assert ready(joiner, 0) == [(1, {QR})]


def test_only_so_many_frames_wait() -> None:
    joiner = Joiner([QR])
    for seq in range(MAX_FRAMES + 10):
        joiner.add_frame(frame(seq), 0)

    assert [seq for seq, _ in ready(joiner, WAIT_SECONDS)] == list(range(10, MAX_FRAMES + 10))
