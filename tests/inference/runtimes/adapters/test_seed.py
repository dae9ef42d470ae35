from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from inference.runtimes.errors import InferenceError
from sightline.messages import Detection
from tests.inference.runtimes.adapters.outputs import WHOLE, adapter, read

LABELS = ["tench", "goldfish", "shark"]


def answer(*classes: int, probabilities: Any) -> dict[str, Any]:
    return {"classes": np.array(classes), "probabilities": np.array(probabilities, np.float32)}


def test_the_label_is_the_one_before_the_class_number() -> None:
    # Class 0 is the background: 1 + 3 probabilities.
    assert read("seed", answer(2, probabilities=[[0.0, 0.1, 0.8, 0.1]]), labels=LABELS) == [
        (Detection("goldfish", 0.8),)
    ]


def test_probabilities_may_begin_with_the_first_class() -> None:
    assert read("seed", answer(2, probabilities=[[0.1, 0.8, 0.1]]), labels=LABELS) == [
        (Detection("goldfish", 0.8),)
    ]
    assert read("seed", answer(3, probabilities=[[0.1, 0.1, 0.8]]), labels=LABELS) == [
        (Detection("shark", 0.8),)
    ]


def test_it_gives_the_next_probable_ones_too() -> None:
    found = read("seed", answer(2, probabilities=[[0.0, 0.15, 0.8, 0.05]]), labels=LABELS, top=3)[0]

    assert [(item.label, item.score) for item in found] == [
        ("goldfish", 0.8),
        ("tench", 0.15),
        ("shark", 0.05),
    ]


def test_it_reads_each_picture_of_a_batch() -> None:
    found = read(
        "seed",
        answer(1, 3, probabilities=[[0, 0.9, 0.1, 0], [0, 0, 0.4, 0.6]]),
        pictures=2,
        labels=LABELS,
    )

    assert [item[0].label for item in found] == ["tench", "shark"]


def test_labels_shorter_than_the_classes_give_a_name_and_a_note() -> None:
    made = adapter("seed", labels=LABELS)

    assert made.detections(answer(17, probabilities=[[0.0] * 17 + [1.0]]), [WHOLE]) == [
        (Detection("class 17", 1.0),)
    ]
    assert len(made.labels.notes) == 1


def test_a_class_that_no_probability_stands_for_has_none() -> None:
    assert read("seed", answer(900, probabilities=[[0.5, 0.5]])) == [(Detection("class 900", 0.0),)]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"classes": np.array([1])}, r"no output 'probabilities'\. Its outputs: classes"),
        (
            answer(1, 2, probabilities=[[0.5, 0.5]]),
            r"class numbers have the shape \(2\); \(1\) is expected",
        ),
        (answer(1, probabilities=[[0.5, math.nan]]), "not a number"),
        ({"classes": np.array([math.nan]), "probabilities": np.array([[1.0]])}, "not a number"),
        (
            {"classes": np.array([b"cat"], object), "probabilities": np.array([[1.0]])},
            "text where a class number",
        ),
    ],
)
def test_it_says_what_is_wrong_with_the_outputs(outputs: dict[str, Any], message: str) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        read("seed", outputs)
    assert caught.value.permanent
