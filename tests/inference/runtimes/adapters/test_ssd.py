from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from inference.runtimes.errors import InferenceError
from tests.inference.runtimes.adapters.outputs import (
    LETTERBOXED,
    WHOLE,
    adapter,
    boxes,
    read,
    tensor,
)


def answer(found: Any, scores: Any, classes: Any, count: Any = None) -> dict[str, Any]:
    outputs = {
        "detection_boxes": tensor(found),
        "detection_scores": tensor(scores),
        "detection_classes": tensor(classes),
    }
    return outputs if count is None else {**outputs, "num_detections": tensor(count)}


ONE = answer([[0.1, 0.2, 0.3, 0.4]], [0.9], [1])


def test_it_reads_boxes_in_tensorflows_order() -> None:
    (found,) = read("ssd", ONE, labels=["person"], offset=-1)

    assert (found[0].label, found[0].score) == ("person", 0.9)
    assert boxes(found) == [(0.2, 0.1, 0.4, 0.3)]


def test_it_reads_boxes_in_pixels_left_first() -> None:
    outputs = answer([[64, 128, 320, 256]], [0.9], [0])

    assert boxes(read("ssd", outputs, coordinates="pixels", order="xyxy")[0]) == [
        (0.1, 0.2, 0.5, 0.4)
    ]


def test_boxes_find_their_way_back_from_a_letterbox() -> None:
    outputs = answer([[0.5, 0.5, (140 + 360) / 640, 1.0]], [0.9], [0])

    assert boxes(read("ssd", outputs, placement=LETTERBOXED)[0]) == [(0.5, 0.5, 1.0, 1.0)]


def test_only_as_many_count_as_the_model_says() -> None:
    many = [[0.1, 0.2, 0.3, 0.4]] * 3

    assert len(read("ssd", answer(many, [0.9] * 3, [0] * 3, [2]))[0]) == 2
    assert len(read("ssd", answer(many, [0.9] * 3, [0] * 3, [99]))[0]) == 3
    assert read("ssd", answer(many, [0.9] * 3, [0] * 3, [-1])) == [()]


def test_it_gives_the_surest_first_and_leaves_out_small_scores() -> None:
    outputs = answer([[0, 0, 1, 1]] * 4, [0.3, 0.6, 0.9, 0.7], [0, 1, 2, 3])

    assert [item.label for item in read("ssd", outputs, most=2)[0]] == ["class 2", "class 3"]


def test_boxes_outside_are_clipped_or_left_out() -> None:
    outputs = answer(
        [[-5.0, 0.5, 0.5, math.inf], [1.2, 1.2, 1.4, 1.4], [0.5, 0.5, 0.4, 0.4]], [0.9] * 3, [0] * 3
    )

    assert boxes(read("ssd", outputs)[0]) == [(0.5, 0.0, 1.0, 0.5)]


def test_it_reads_a_detector_without_the_axis_of_the_batch() -> None:
    outputs = {
        "boxes": tensor([0.0, 0.0, 320.0, 640.0]),
        "labels": np.array([3]),
        "scores": np.array([0.8], np.float32),
    }

    (found,) = read(
        "ssd",
        outputs,
        boxes="boxes",
        classes="labels",
        scores="scores",
        coordinates="pixels",
        order="xyxy",
    )

    assert (found[0].label, boxes(found)) == ("class 3", [(0.0, 0.0, 0.5, 1.0)])


def test_no_boxes_are_fine() -> None:
    assert read(
        "ssd",
        {"boxes": np.zeros((1, 0, 4)), "scores": np.zeros((1, 0))},
        boxes="boxes",
        classes="",
        scores="scores",
    ) == [()]


def test_each_picture_of_a_batch_has_its_own() -> None:
    outputs = {
        "b": np.tile(tensor([0, 0, 1, 1]), (2, 1, 1)),
        "s": tensor([0.9], [0.1]),
        "c": tensor([0.0], [0.0]),
    }

    first, second = read("ssd", outputs, pictures=2, boxes="b", scores="s", classes="c")

    assert (len(first), len(second)) == (1, 0)


def test_labels_shorter_than_the_classes_give_a_name_and_a_note() -> None:
    made = adapter("ssd", labels=["person"])

    assert made.detections(answer([[0, 0, 1, 1]], [0.9], [17]), [WHOLE])[0][0].label == "class 17"
    assert len(made.labels.notes) == 1


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (
            {"output0": tensor([1.0])},
            r"no output 'detection_boxes'\. Its outputs: output0\. Set the output option 'boxes'",
        ),
        (
            answer([[0, 0, 1]], [0.9], [0]),
            r"boxes have the shape \(1, 1, 3\); \(1, \?, 4\) is expected",
        ),
        (answer([[0, 0, 1, 1]], [0.9, 0.8], [0]), r"scores have the shape \(1, 2\); \(1, 1\)"),
        (answer([[0, 0, 1, 1]], [0.9], [0, 1]), r"class numbers have the shape \(1, 2\)"),
        (answer([[0, 0, 1, math.nan]], [0.9], [0]), "a box that is not a number"),
        (answer([[0, 0, 1, 1]], [math.nan], [0]), "a score that is not a number"),
        (answer([[0, 0, 1, 1]], [0.9], [math.nan]), "a class number that is not a number"),
        (answer([[0, 0, 1, 1]], [90.0], [0]), "the score 90, which is not in 0 to 1"),
    ],
)
def test_it_says_what_is_wrong_with_the_outputs(outputs: dict[str, Any], message: str) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        read("ssd", outputs)
    assert caught.value.permanent
