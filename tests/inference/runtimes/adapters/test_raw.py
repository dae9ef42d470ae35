from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from inference.runtimes.errors import InferenceError
from tests.inference.runtimes.adapters.outputs import one, read, tensor


def document(text: str | None) -> Any:
    return json.loads(text or "", parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_it_shows_every_tensor_of_each_picture() -> None:
    first, second = read(
        "raw", {"a": tensor([0.5, 1.0], [2.0, 3.0]), "b": np.array([7, 8])}, pictures=2
    )

    assert (first[0].label, first[0].score) == ("raw", 1.0)
    assert document(first[0].text) == {
        "a": {"datatype": "FP32", "shape": [2], "values": [0.5, 1.0]},
        "b": {"datatype": "INT64", "shape": [], "values": [7]},
    }
    assert document(second[0].text)["b"]["values"] == [8]


def test_what_json_has_not_is_null() -> None:
    assert document(one("raw", tensor([math.nan, math.inf, 1.5]))[0].text)["output0"]["values"] == [
        None,
        None,
        1.5,
    ]


def test_bytes_are_text() -> None:
    assert document(one("raw", np.array([[b"caf\xc3\xa9", b"\xff"]], object))[0].text)["output0"][
        "values"
    ] == ["café", "\ufffd"]


def test_it_gives_no_more_values_than_asked() -> None:
    shown = document(one("raw", np.zeros((1, 3, 640, 640), np.float32), values=10)[0].text)[
        "output0"
    ]

    assert (shown["shape"], len(shown["values"])) == ([3, 640, 640], 10)


def test_it_says_that_rows_are_missing() -> None:
    with pytest.raises(
        InferenceError,
        match=r"values of 'a' have the shape \(3, 2\); \(2, \?\) is expected for 2 picture",
    ):
        read("raw", {"a": np.zeros((3, 2))}, pictures=2)
