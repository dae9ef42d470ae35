from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from inference.runtimes.errors import InferenceError
from sightline.messages import Detection
from tests.inference.runtimes.adapters.outputs import (
    WHOLE,
    adapter,
    one,
    read,
    tensor,
)

ANIMALS = ["ant", "bee", "cat"]


def test_it_gives_the_surest_class() -> None:
    assert one("classification", tensor([0.1, 0.2, 0.7]), labels=ANIMALS) == (
        Detection("cat", 0.7),
    )


def test_it_gives_as_many_classes_as_asked_surest_first() -> None:
    found = one("classification", tensor([0.1, 0.7, 0.2]), labels=ANIMALS, top=2)

    assert [(item.label, item.score) for item in found] == [("bee", 0.7), ("cat", 0.2)]


def test_it_gives_all_classes_when_asked_for_more() -> None:
    assert len(one("classification", tensor([0.1, 0.7, 0.2]), top=100)) == 3


def test_it_leaves_out_small_scores() -> None:
    assert one("classification", tensor([0.4, 0.3, 0.3]), min_score=0.5) == ()


def test_it_makes_probabilities_of_logits() -> None:
    found = one(
        "classification", tensor([1000.0, 1001.0, -5.0]), scores="softmax", labels=ANIMALS, top=2
    )

    assert [item.label for item in found] == ["bee", "ant"]
    assert found[0].score == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-4)


def test_it_makes_probabilities_of_labels_that_do_not_exclude_each_other() -> None:
    found = one("classification", tensor([0.0, 800.0, -800.0]), scores="sigmoid", top=3)

    assert [item.score for item in found] == [1.0, 0.5, 0.0]


def test_it_reads_each_picture_of_a_batch() -> None:
    found = read(
        "classification", {"y": tensor([0.9, 0.1], [0.2, 0.8])}, pictures=2, labels=ANIMALS
    )

    assert [item[0].label for item in found] == ["ant", "bee"]


@pytest.mark.parametrize("shape", [(1, 3), (3,), (1, 3, 1, 1), (1, 1, 1, 3), (1, 1, 3)])
def test_it_takes_scores_whatever_axes_stand_around_them(shape: tuple[int, ...]) -> None:
    assert (
        one("classification", tensor([0.1, 0.2, 0.7]).reshape(shape), labels=ANIMALS)[0].label
        == "cat"
    )


def test_it_finds_the_scores_beside_the_class() -> None:
    outputs = {"label": np.array([2]), "probabilities": tensor([0.1, 0.2, 0.7])}

    assert read("classification", outputs, labels=ANIMALS)[0] == (Detection("cat", 0.7),)


def test_it_takes_an_output_of_whole_numbers_as_the_class() -> None:
    found = read("classification", {"predict": np.array([2, 0])}, pictures=2, labels=ANIMALS)

    assert found == [(Detection("cat", 1.0),), (Detection("ant", 1.0),)]


def test_it_takes_an_output_of_texts_as_the_label() -> None:
    labels = np.array([b"cat", b"caf\xc3\xa9"], object)

    assert [item[0].label for item in read("classification", {"label": labels}, pictures=2)] == [
        "cat",
        "café",
    ]


def test_labels_shorter_than_the_classes_give_a_name_and_one_note() -> None:
    made = adapter("classification", labels=ANIMALS)
    outputs = {"y": np.eye(20, dtype=np.float32)[17:18]}

    for _ in range(3):
        assert made.detections(outputs, [WHOLE])[0][0].label == "class 17"
    assert made.labels.notes == [
        'There is no label for class 17 among the 3 labels: it is shown as "class 17".'
    ]


def test_a_background_class_is_left_out_by_an_offset() -> None:
    assert (
        one("classification", tensor([0.1, 0.2, 0.7]), labels=["tench", "goldfish"], offset=-1)[
            0
        ].label
        == "goldfish"
    )


@pytest.mark.parametrize(
    ("outputs", "options", "message"),
    [
        ({"y": tensor([0.1, math.nan])}, {}, r"a score that is not a number"),
        ({"y": tensor([0.1, 7.5])}, {}, r"the score 7\.5, which is not in 0 to 1.*softmax"),
        ({"y": tensor([-3.0, 0.5])}, {}, r"the score -3, which is not in 0 to 1.*softmax"),
        ({"y": tensor([0.1], [0.2])}, {}, r"scores have the shape \(2, 1\); \(1, \?\) is expected"),
        ({"y": np.zeros((1, 3, 7, 7), np.float32)}, {}, r"scores have the shape \(1, 3, 7, 7\)"),
        ({"y": np.zeros((1, 0), np.float32)}, {"scores": "softmax"}, r"the shape \(1, 0\)"),
        (
            {"a": tensor([0.1]), "b": tensor([0.1])},
            {},
            r"several outputs: a, b\. Set the output option 'tensor'",
        ),
        ({"a": tensor([0.1])}, {"tensor": "logits"}, r"no output 'logits'\. Its outputs: a\."),
        ({}, {}, r"several outputs: none"),
        ({"y": np.array([[b"a", b"b"]], object)}, {}, r"text where a score is expected"),
    ],
)
def test_it_says_what_is_wrong_with_the_outputs(
    outputs: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        read("classification", outputs, **options)
    assert caught.value.permanent
