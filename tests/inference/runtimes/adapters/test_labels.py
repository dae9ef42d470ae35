from __future__ import annotations

from typing import Any

import pytest

from inference.runtimes.adapters.labels import MAX_LABELS, Labels, read_labels
from inference.runtimes.errors import InferenceError


@pytest.mark.parametrize(
    "value",
    [
        ["cat", "dog"],
        "cat\ndog\n",
        "\ufeffcat\r\ndog\r\n\r\n",
        '["cat", "dog"]',
        '{"0": "cat", "1": "dog"}',
        '{"1": ["n02084071", "dog"], "0": ["n02121808", "cat"]}',
        {"0": "cat", "1": "dog"},
        "{0: 'cat', 1: 'dog'}",
    ],
)
def test_it_reads_labels_as_they_come(value: object) -> None:
    assert read_labels(value) == ("cat", "dog")


def test_an_empty_line_keeps_its_place() -> None:
    assert read_labels("background\n\ncat") == ("background", "", "cat")


def test_a_number_without_a_name_keeps_its_place() -> None:
    assert read_labels({"0": "person", "2": "car"}) == ("person", "", "car")


def test_none_is_fine() -> None:
    assert read_labels("") == read_labels([]) == read_labels({}) == ()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7, "Labels are a list"),
        ('{"a": "cat"}', "class numbers as their keys"),
        ({"-1": "cat"}, "from 0 to"),
        ({"999999999": "cat"}, "from 0 to"),
        ('{"0": "cat"', "look like JSON"),
        ("[" * 100_000, "look like JSON"),
        ("[open('/etc/passwd')]", "look like JSON"),
        ([{"name": "cat"}], "Each label is a text"),
        (["a"] * (MAX_LABELS + 1), "at most are read"),
        ("a" * 5_000_000, "longer than 4 MiB"),
    ],
)
def test_it_says_what_is_wrong(value: Any, message: str) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        read_labels(value)
    assert caught.value.permanent


def test_without_labels_a_class_has_its_number_and_that_is_no_surprise() -> None:
    labels = Labels()

    assert labels.name(3) == "class 3"
    assert labels.notes == []


def test_notes_do_not_grow_without_end() -> None:
    labels = Labels(["cat"])

    for number in range(1000):
        labels.name(number)

    assert len(labels.notes) == 20
