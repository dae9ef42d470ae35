from __future__ import annotations

from typing import Any

import pytest

from inference.runtimes.adapters import ADAPTERS, create
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import options_of


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_adapter_has_a_title_and_helps_and_defaults_that_it_takes(name: str) -> None:
    options = ADAPTERS[name].load().Options

    assert ADAPTERS[name].title
    assert create({"adapter": name, **{item.name: item.default for item in options_of(options)}})
    assert all(item.help for item in options_of(options))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"adapter": "yolov8"},
            r"no output adapter 'yolov8'\. Known: classification, ssd, yolo, seed, raw",
        ),
        ({"adapter": ["yolo"]}, r"no output adapter"),
        ({"adapter": "yolo", "treshold": 1}, r"'output\.treshold' is not known"),
        ({"adapter": "yolo", "version": "v3"}, r"'output\.version' must be one of: v5, v8, v10"),
        ({"adapter": "yolo", "min_score": 7}, r"'output\.min_score' must be from 0\.0 to 1\.0"),
        ({"adapter": "classification", "labels": 7}, "Labels are a list"),
        ({"adapter": "classification", "offset": "1"}, r"'output\.offset' must be a whole number"),
    ],
)
def test_it_says_what_is_wrong_with_an_option(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InferenceError, match=message) as caught:
        create(values)
    assert caught.value.permanent


def test_without_an_adapter_the_tensors_themselves_are_shown() -> None:
    assert type(create({})).__name__ == "Raw"
