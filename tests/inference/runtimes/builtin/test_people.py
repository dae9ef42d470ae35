from __future__ import annotations

import cv2
import numpy as np
import pytest

from inference.runtimes import create
from inference.runtimes.base import Runtime
from inference.runtimes.boxes import iou
from sightline.messages import Box
from tests.inference.pictures import Image, blank, picture

TORSO = [
    (-1.0, 1.4),
    (-0.3, 1.1),
    (0.3, 1.1),
    (1.0, 1.4),
    (1.15, 3.9),
    (0.65, 4.2),
    (-0.65, 4.2),
    (-1.15, 3.9),
]
LEGS = [(-0.65, 4.1), (0.65, 4.1), (0.8, 8), (0.3, 8), (0, 5), (-0.3, 8), (-0.8, 8)]


@pytest.fixture(scope="module")
def people() -> Runtime:
    model = create("builtin-people", {})
    model.load()
    return model


def draw_person(image: Image, x: int, y: int, tall: int) -> Box:
    """A standing figure, eight heads high; gives its box."""
    unit = tall / 8

    def at(points: list[tuple[float, float]]) -> Image:
        return np.array([(x + across * unit, y + down * unit) for across, down in points], np.int32)

    cv2.ellipse(
        image,
        (x, round(y + 0.55 * unit)),
        (round(0.42 * unit), round(0.55 * unit)),
        0,
        0,
        360,
        (130,) * 3,
        -1,
    )
    cv2.fillPoly(image, [at(TORSO)], (40,) * 3)
    cv2.fillPoly(image, [at(LEGS)], (60,) * 3)
    height, width = image.shape[:2]
    return (x - 1.15 * unit) / width, y / height, (x + 1.15 * unit) / width, (y + tall) / height


def test_it_finds_two_people_where_they_stand(people: Runtime) -> None:
    image = blank(gray=150)
    truth = [draw_person(image, 400, 150, 400), draw_person(image, 900, 250, 330)]

    (found,) = people.predict([picture(image)])

    assert [detection.label for detection in found] == ["person", "person"]
    boxes = sorted(detection.box for detection in found if detection.box is not None)
    assert all(iou(box, expected) > 0.5 for box, expected in zip(boxes, truth, strict=True))


def test_the_surest_comes_first_with_a_score_in_0_to_1(people: Runtime) -> None:
    image = blank(gray=150)
    draw_person(image, 400, 150, 400)
    draw_person(image, 900, 250, 330)

    (found,) = people.predict([picture(image)])

    scores = [detection.score for detection in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0.65 <= score <= 1 for score in scores)


def test_an_empty_room_has_nobody(people: Runtime) -> None:
    assert people.predict([picture(blank())]) == [()]


def test_the_smallest_score_can_be_set() -> None:
    image = blank(gray=150)
    draw_person(image, 400, 150, 400)
    model = create("builtin-people", {"min_score": 1.0})
    model.load()

    assert model.predict([picture(image)]) == [()]


def test_a_person_at_the_edge_is_clipped_to_the_picture(people: Runtime) -> None:
    image = blank(gray=150)
    draw_person(image, 400, 150, 400)

    (found,) = people.predict([picture(np.ascontiguousarray(image[:, 330:1230]))])

    for detection in found:
        assert detection.box is not None
        assert 0 <= detection.box[0] < detection.box[2] <= 1
