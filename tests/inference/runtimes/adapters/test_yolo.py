from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from inference.runtimes.boxes import iou
from inference.runtimes.errors import InferenceError
from inference.runtimes.tensors import Tensor
from sightline.messages import Detection
from tests.inference.runtimes.adapters.outputs import (
    LETTERBOXED,
    WHOLE,
    adapter,
    boxes,
    one,
    read,
    tensor,
)

CLASSES = 3
BOXES = 40
# Centre, size and class scores, as an export has them.
PERSON = [320.0, 320.0, 64.0, 128.0, 0.9, 0.05, 0.0]
SAME_PERSON = [324.0, 318.0, 66.0, 128.0, 0.6, 0.0, 0.0]
CAR_THERE = [322.0, 320.0, 64.0, 128.0, 0.0, 0.7, 0.0]
FAR_PERSON = [100.0, 100.0, 40.0, 40.0, 0.5, 0.0, 0.0]


def v8(*rows: list[float]) -> Tensor:
    """(1, 4 + classes, boxes)"""
    made = np.zeros((1, 4 + CLASSES, BOXES), np.float32)
    made[0, :, : len(rows)] = np.array(rows).T
    return made


def v5(*rows: list[float], objectness: float = 1.0) -> Tensor:
    """(1, boxes, 5 + classes)"""
    made = np.zeros((1, BOXES, 5 + CLASSES), np.float32)
    for index, row in enumerate(rows):
        made[0, index] = [*row[:4], objectness, *row[4:]]
    return made


def v10(*rows: list[float]) -> Tensor:
    """(1, boxes, 6)"""
    made = np.zeros((1, BOXES, 6), np.float32)
    made[0, : len(rows)] = rows
    return made


def found(tensor: Tensor, **options: Any) -> list[tuple[str, float]]:
    return [
        (item.label, round(item.score, 2))
        for item in one("yolo", tensor, labels=["person", "car", "dog"], **options)
    ]


def test_v8_boxes_by_their_best_class() -> None:
    (item,) = one("yolo", v8(PERSON), labels=["person", "car", "dog"])

    assert (item.label, item.score) == ("person", 0.9)
    assert boxes((item,)) == [(0.45, 0.4, 0.55, 0.6)]


def test_v5_scores_are_objectness_times_class() -> None:
    assert found(v5(PERSON, objectness=0.5), version="v5") == [("person", 0.45)]
    assert found(v5(PERSON, objectness=0.2), version="v5") == []


def test_v5_models_without_classes_have_objectness_only() -> None:
    rows = np.zeros((1, BOXES, 5), np.float32)
    rows[0, 0] = [320, 320, 64, 128, 0.8]

    assert one("yolo", rows, version="v5", labels=["person"])[0] == Detection(
        "person", 0.8, (0.45, 0.4, 0.55, 0.6)
    )


def test_v10_boxes_are_finished() -> None:
    rows = v10([288, 256, 352, 384, 0.9, 0], [288, 256, 352, 384, 0.8, 0], [0, 0, 64, 64, 0.1, 2])

    assert found(rows, version="v10") == [("person", 0.9), ("person", 0.8)]
    assert boxes(one("yolo", rows, version="v10"))[0] == (0.45, 0.4, 0.55, 0.6)


@pytest.mark.parametrize(("version", "make"), [("v5", v5), ("v8", v8)])
def test_of_boxes_that_overlap_the_surest_of_each_class_is_kept(version: str, make: Any) -> None:
    rows = make(SAME_PERSON, CAR_THERE, PERSON, FAR_PERSON)

    assert found(rows, version=version) == [("person", 0.9), ("car", 0.7), ("person", 0.5)]
    assert found(rows, version=version, across_classes=True) == [("person", 0.9), ("person", 0.5)]
    assert len(found(rows, version=version, overlap=1.0)) == 4


def test_small_scores_and_surplus_are_left_out() -> None:
    rows = v8(PERSON, CAR_THERE, FAR_PERSON)

    assert found(rows, min_score=0.6) == [("person", 0.9), ("car", 0.7)]
    assert found(rows, most=1) == [("person", 0.9)]


@pytest.mark.parametrize(("version", "make"), [("v5", v5), ("v8", v8)])
def test_an_export_with_its_axes_exchanged_is_understood(version: str, make: Any) -> None:
    turned = make(PERSON).transpose(0, 2, 1)

    assert found(turned, version=version) == [("person", 0.9)]
    assert len(one("yolo", turned, version=version)) == 1


def test_few_boxes_of_many_classes_are_understood_by_their_labels() -> None:
    rows = np.zeros((1, 84, 10), np.float32)
    rows[0, :4, 0] = PERSON[:4]
    rows[0, 4 + 79, 0] = 0.9

    assert one("yolo", rows, labels=[str(number) for number in range(80)])[0].label == "79"


def test_values_after_the_classes_are_ignored_when_told() -> None:
    masks = np.full((1, 32, BOXES), 5.0, np.float32)

    assert found(np.concatenate([v8(PERSON), masks], axis=1), classes=CLASSES) == [("person", 0.9)]


def test_boxes_find_their_way_back_from_a_letterbox() -> None:
    assert boxes(one("yolo", v8(PERSON), placement=LETTERBOXED)) == [
        (0.45, round((256 - 140) / 360, 3), 0.55, round((384 - 140) / 360, 3))
    ]


def test_normalised_boxes() -> None:
    rows = v8([0.5, 0.5, 0.1, 0.2, 0.9, 0, 0])

    assert boxes(one("yolo", rows, coordinates="normalised")) == [(0.45, 0.4, 0.55, 0.6)]


def test_boxes_outside_are_clipped_or_left_out() -> None:
    rows = v8(
        [0, 0, 200, 200, 0.9, 0, 0],
        [900, 900, 50, 50, 0.8, 0, 0],
        [300, 300, -5, -5, 0.7, 0, 0],
        [320, 320, math.inf, 64, 0.6, 0, 0],
    )

    assert boxes(one("yolo", rows)) == [(0.0, 0.0, 0.156, 0.156), (0.0, 0.45, 1.0, 0.55)]


def test_infinities_do_no_harm() -> None:
    inf = math.inf

    assert (
        boxes(one("yolo", v8([inf, inf, inf, inf, 0.9, 0, 0], [320, -inf, 64, inf, 0.8, 0, 0])))
        == []
    )
    assert found(v10([-inf, 0, inf, 64, 0.9, inf]), version="v10") == [("class 1000000", 0.9)]


def test_each_picture_of_a_batch_has_its_own() -> None:
    first, second, third = read(
        "yolo", {"output0": np.concatenate([v8(PERSON), v8(), v8(FAR_PERSON, PERSON)])}, pictures=3
    )

    assert (len(first), len(second), len(third)) == (1, 0, 2)


def test_suppression_leaves_no_two_of_a_class_that_overlap() -> None:
    random = np.random.default_rng(3)
    rows = np.zeros((1, 84, 8400), np.float32)
    rows[0, :2] = random.uniform(100, 540, (2, 8400))
    rows[0, 2:4] = random.uniform(20, 120, (2, 8400))
    rows[0, 4:] = random.uniform(0, 0.6, (80, 8400)) ** 4

    kept = one("yolo", rows, min_score=0.12, most=1000)

    assert len(kept) > 100
    for index, item in enumerate(kept):
        assert item.box
        assert all(
            other.box and iou(item.box, other.box) <= 0.451
            for other in kept[:index]
            if other.label == item.label
        )


def test_labels_shorter_than_the_classes_give_a_name_and_a_note() -> None:
    made = adapter("yolo", labels=["person"])

    assert made.detections({"output0": v8(CAR_THERE)}, [WHOLE])[0][0].label == "class 1"
    assert len(made.labels.notes) == 1


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (v8([320, 320, 64, 64, math.nan, 0, 0]), {}, "a score that is not a number"),
        (v8([math.nan, 320, 64, 64, 0.9, 0, 0]), {}, "a box that is not a number"),
        (v5([320, 320, 64, 64, math.nan, 0, 0]), {"version": "v5"}, "a score that is not a number"),
        (v5(PERSON, objectness=math.nan), {"version": "v5"}, "a score that is not a number"),
        (v10([0, 0, 9, 9, math.nan, 0]), {"version": "v10"}, "a score that is not a number"),
        (
            v10([0, 0, 9, 9, 0.9, math.nan]),
            {"version": "v10"},
            "a class number that is not a number",
        ),
        (v8(PERSON), {"version": "v10"}, "gives 40 values for a box; YOLO v10's are 6.*'version'"),
        (v8([320, 320, 64, 64, 300, 0, 0]), {}, "the score 300, which is not in 0 to 1.*'version'"),
        (np.zeros((1, 3, 40), np.float32), {}, "too few for boxes"),
        (
            np.zeros((1, 3, 80, 80, 85), np.float32),
            {},
            r"boxes have the shape \(1, 3, 80, 80, 85\); \(1, \?, \?\) is expected",
        ),
        (np.zeros((2, 7, 40), np.float32), {}, r"\(2, 7, 40\)"),
        (np.full((1, 7, 40), b"x", object), {}, "text where a score is expected"),
    ],
)
def test_it_says_what_is_wrong_with_the_output(
    rows: Tensor, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        one("yolo", rows, **options)
    assert caught.value.permanent


def test_a_tensor_without_boxes_is_fine() -> None:
    assert one("yolo", np.zeros((1, 0, 6), np.float32), version="v10") == ()
    assert one("yolo", v8()) == ()
    assert tensor([1.0]).shape == (1, 1)
