from __future__ import annotations

import numpy as np

from inference.runtimes.base import Picture
from inference.runtimes.boxes import iou
from inference.runtimes.builtin.motion import FORGET_AFTER_S, MAX_CAMERAS, Motion, MotionOptions
from sightline.messages import Detection
from tests.inference.pictures import Image, blank, picture

WARMUP = MotionOptions().warmup


class Clock:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def warm(model: Motion, image: Image, camera: str = "dock") -> None:
    for seq in range(WARMUP):
        look(model, image, seq, camera)


def look(
    model: Motion, image: Image, seq: int = WARMUP, camera: str = "dock"
) -> tuple[Detection, ...]:
    return model.predict([picture(image, seq, camera)])[0]


def with_square(x: int, y: int, side: int = 160) -> Image:
    image = blank()
    image[y : y + side, x : x + side] = 220
    return image


def test_a_still_picture_has_no_motion() -> None:
    model = Motion(MotionOptions())
    still = np.random.default_rng(1)

    seen = [
        look(model, blank() + still.integers(0, 6, (720, 1280, 1), np.uint8), seq)
        for seq in range(60)
    ]

    assert seen == [()] * 60


def test_it_boxes_what_comes_into_the_picture() -> None:
    model = Motion(MotionOptions())
    warm(model, blank())

    (found,) = look(model, with_square(480, 240))

    assert found.label == "motion"
    assert found.box is not None
    assert iou(found.box, (480 / 1280, 240 / 720, 640 / 1280, 400 / 720)) > 0.85


def test_the_score_is_the_share_of_the_box_that_moves() -> None:
    solid, thin = Motion(MotionOptions()), Motion(MotionOptions())
    warm(solid, blank())
    warm(thin, blank())
    frame = with_square(400, 200, 300)
    frame[230:470, 430:670] = blank()[0, 0]

    assert look(solid, with_square(400, 200, 300))[0].score > 0.9
    assert 0.2 < look(thin, frame)[0].score < 0.6


def test_near_regions_become_one_box_and_far_ones_stay_apart() -> None:
    near, far = Motion(MotionOptions()), Motion(MotionOptions())
    warm(near, blank())
    warm(far, blank())

    assert len(look(near, np.maximum(with_square(300, 240), with_square(490, 240)))) == 1
    assert len(look(far, np.maximum(with_square(100, 240), with_square(900, 240)))) == 2


def test_it_says_nothing_while_it_warms_up() -> None:
    model = Motion(MotionOptions())

    seen = [look(model, with_square(20 * seq, 240), seq) for seq in range(WARMUP + 1)]

    assert seen[:WARMUP] == [()] * WARMUP
    assert seen[WARMUP] != ()


def test_cameras_do_not_disturb_each_other() -> None:
    model = Motion(MotionOptions())
    warm(model, blank(), "dock")
    warm(model, with_square(480, 240), "gate")

    pictures = [
        picture(with_square(480, 240), 20, "dock"),
        picture(with_square(480, 240), 20, "gate"),
    ]
    dock, gate = model.predict(pictures)

    assert len(dock) == 1
    assert gate == ()


def test_a_new_size_starts_the_camera_afresh() -> None:
    model = Motion(MotionOptions())
    warm(model, blank())

    assert look(model, with_square(480, 240)[:600]) == ()


def test_a_camera_is_forgotten_after_a_while_without_pictures() -> None:
    clock = Clock()
    model = Motion(MotionOptions(), clock)
    warm(model, blank())

    clock.now += FORGET_AFTER_S + 1

    assert look(model, with_square(480, 240)) == ()


def test_it_remembers_a_bounded_number_of_cameras() -> None:
    model = Motion(MotionOptions())
    warm(model, blank(), "first")
    for number in range(MAX_CAMERAS):
        look(model, blank(64, 36), 1, f"camera-{number}")

    assert look(model, with_square(480, 240), camera="first") == ()


def test_boxes_stay_within_the_picture_and_are_few() -> None:
    options = MotionOptions(gap=0.0, min_area=0.0, max_boxes=5)
    model = Motion(options)
    warm(model, blank())
    specks = np.kron(
        np.random.default_rng(2).integers(0, 2, (18, 32, 1), np.uint8) * 100,
        np.ones((40, 40, 1), np.uint8),
    )

    found = look(model, blank() + specks.astype(np.uint8))

    assert 1 <= len(found) <= 5
    for detection in found:
        assert detection.box is not None
        x0, y0, x1, y1 = detection.box
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
        assert 0 <= detection.score <= 1


def test_closing_forgets_everything() -> None:
    model = Motion(MotionOptions())
    warm(model, blank())

    model.close()

    assert look(model, with_square(480, 240)) == ()


def test_a_batch_counts_as_its_pictures_one_after_the_other() -> None:
    model = Motion(MotionOptions())
    batch: list[Picture] = [picture(blank(), seq) for seq in range(WARMUP)]

    *before, last = model.predict([*batch, picture(with_square(480, 240), WARMUP)])

    assert before == [()] * WARMUP
    assert len(last) == 1
