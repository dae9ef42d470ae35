from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from inference.imprint.drawing import (
    MAX_BOXES,
    MAX_LABEL,
    caption,
    colour,
    draw,
    plain,
)
from inference.runtimes.errors import InferenceError
from sightline.messages import Detection
from tests.inference.pictures import Image, blank, encode, picture, prediction

JPEG = encode(blank())
COLOURS = Path(__file__).parents[2] / "js" / "colours.json"  # the browser's own test reads it too


def drawn(*detections: Detection, jpeg: bytes = JPEG) -> Image:
    return picture(draw(jpeg, [prediction(detections)])).bgr().astype(np.uint8)


def changed(image: Image) -> Image:
    """Which pixels differ from the grey picture, shape (height, width)."""
    return np.asarray((np.abs(image.astype(int) - 120) > 25).any(axis=2), np.uint8)


def close_to(pixel: Image, wanted: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - wanted).max() < 40)


def test_it_draws_the_box_in_the_colour_of_its_label() -> None:
    image = drawn(Detection("face", 0.9, (0.25, 0.25, 0.5, 0.75)))

    for x, y in ((320, 360), (639, 360), (480, 539)):
        area = image[y - 2 : y + 3, x - 2 : x + 3].reshape(-1, 3)
        assert any(close_to(pixel, colour("face")) for pixel in area)
    assert changed(image)[300:500, 340:620].sum() == 0


def test_the_label_stands_above_the_box() -> None:
    marks = changed(drawn(Detection("face", 0.9, (0.25, 0.25, 0.5, 0.75))))

    assert marks[160:178, 322:400].mean() > 0.5
    assert marks[185:200, 330:630].sum() == 0


def test_the_label_stands_inside_where_there_is_no_room_above() -> None:
    marks = changed(drawn(Detection("face", 0.9, (0.25, 0.0, 0.5, 0.75))))

    assert marks[3:18, 322:400].mean() > 0.5


def test_the_label_is_not_cut_by_the_right_edge() -> None:
    marks = changed(drawn(Detection("a rather long label", 0.9, (0.97, 0.5, 0.99, 0.75))))

    assert marks[340:356, 1100:1230].mean() > 0.5


def test_detections_without_a_box_are_listed_in_the_corner() -> None:
    one = changed(drawn(Detection("cat", 0.9)))
    two = changed(drawn(Detection("cat", 0.9), Detection("dog", 0.1)))

    assert one[5:25, 5:100].mean() > 0.5
    assert one[60:].sum() == 0
    assert two[32:45, 5:100].mean() > 0.5


def test_nothing_to_draw_gives_back_the_same_bytes() -> None:
    assert draw(JPEG, []) is JPEG
    assert draw(JPEG, [prediction([])]) is JPEG


@pytest.mark.parametrize("jpeg", [b"", b"no picture", JPEG[: len(JPEG) // 2]])
def test_a_broken_picture_is_an_error(jpeg: bytes) -> None:
    with pytest.raises(InferenceError) as caught:
        draw(jpeg, [prediction([Detection("cat", 0.9)])])
    assert caught.value.permanent


@pytest.mark.parametrize(
    "detection",
    [
        Detection("nan", math.nan, (math.nan, 0.0, 1.0, 1.0)),
        Detection("endless", math.inf, (-math.inf, 0.1, math.inf, 0.5)),
        Detection("huge", 1e300, (-9e99, -9e99, 9e99, 9e99)),
        Detection("turned", 0.5, (0.9, 0.9, 0.1, 0.1)),
        Detection("dot", 0.5, (0.5, 0.5, 0.5001, 0.5001)),
        Detection("\x00\n\t\ud800 % {} 日本", 0.5, (0.1, 0.1, 0.2, 0.2), text="x" * 100_000),
        Detection("", 0.5),
    ],
)
def test_what_foreign_models_say_does_no_harm(detection: Detection) -> None:
    assert drawn(detection).shape == (720, 1280, 3)
    assert drawn(detection, jpeg=encode(blank(1, 1))).shape == (1, 1, 3)


def test_the_work_for_one_picture_is_bounded() -> None:
    boxes = [
        Detection(f"label {number}", 0.5, (0.1, 0.1, 0.9, 0.9)) for number in range(10 * MAX_BOXES)
    ]

    assert draw(JPEG, [prediction(boxes)]) == draw(JPEG, [prediction(boxes[:MAX_BOXES])])


def test_a_gray_picture_can_be_drawn_on() -> None:
    assert drawn(
        Detection("cat", 0.9, (0.1, 0.1, 0.9, 0.9)), jpeg=encode(blank(320, 180))
    ).shape == (180, 320, 3)


@pytest.mark.parametrize(("label", "expected"), json.loads(COLOURS.read_text()).items())
def test_a_label_has_the_colour_that_it_has_in_the_browser(label: str, expected: str) -> None:
    blue, green, red = colour(label)
    assert f"#{red:02x}{green:02x}{blue:02x}" == expected


def test_the_caption_is_the_text_or_else_the_label() -> None:
    assert caption(Detection("qr", 1.0, text="PARCEL-0041")) == "PARCEL-0041 1.00"
    assert caption(Detection("face", 0.876)) == "face 0.88"


def test_captions_are_short_and_plain() -> None:
    assert plain("Grüße 東\n") == "Gru?e ??"
    assert len(plain("y" * 1000)) == MAX_LABEL
