"""Options of runtimes: text, choices, lists and sections, each refused in plain words."""

from __future__ import annotations

import pytest

from inference.runtimes.errors import InferenceError
from inference.runtimes.options import (
    Options,
    choice,
    flag,
    number,
    numbers,
    parse,
    section,
    text,
    words,
)


class Inner(Options):
    size: int = number(224, 1, 8192, "Size.")
    mean: tuple[float, ...] = numbers((0.0,), -1000, 1000, "Mean.", counts=(1, 3))
    shape: tuple[int, ...] = numbers((1, 2), 1, 9, "Shape.")


class Outer(Options):
    name: str = text("", "What it is called.", required=True)
    title: str = text("none", "Title.")
    order: str = choice("RGB", ("RGB", "BGR"), "Order.")
    labels: tuple[str, ...] = words("Labels.")
    on: bool = flag(True, "On.")
    inner: Inner = section(Inner, "Inner.")


def test_it_reads_all_kinds_of_options() -> None:
    values = {
        "name": " a ",
        "order": "BGR",
        "labels": ["x", "y"],
        "on": False,
        "inner": {"size": 5, "mean": [1, 2.5, 3], "shape": [3]},
    }

    assert parse(Outer, values) == Outer(
        name="a",
        order="BGR",
        labels=("x", "y"),
        on=False,
        inner=Inner(size=5, mean=(1.0, 2.5, 3.0), shape=(3,)),
    )


def test_it_has_defaults() -> None:
    assert parse(Outer, {"name": "a"}) == Outer(
        name="a",
        title="none",
        order="RGB",
        labels=(),
        on=True,
        inner=Inner(size=224, mean=(0.0,), shape=(1, 2)),
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "The option 'name' is missing. What it is called."),
        ({"name": ""}, "The option 'name' is empty. What it is called."),
        ({"name": "a\nb"}, "The option 'name' must be text in one line."),
        ({"name": 5}, "The option 'name' must be text in one line."),
        ({"name": "a" * 3000}, "The option 'name' is too long: 2000 characters at most."),
        ({"order": "GBR"}, "The option 'order' must be one of: RGB, BGR."),
        ({"order": ["RGB"]}, "The option 'order' must be one of: RGB, BGR."),
        ({"labels": "x,y"}, "The option 'labels' must be a list of texts"),
        ({"labels": ["x", 5]}, "The option 'labels' must be a list of texts"),
        ({"labels": ["x"] * 100_001}, "The option 'labels' has too many entries: 100000 at most."),
        ({"on": 1}, "The option 'on' must be true or false."),
        ({"inner": []}, "The option 'inner' must be an object"),
        ({"inner": {5: 1}}, "The option 'inner' must be an object"),
        (
            {"inner": {"sice": 5}},
            "The option 'inner.sice' is not known. Known: inner.size, inner.mean, inner.shape.",
        ),
        ({"inner": {"size": 0}}, "The option 'inner.size' must be from 1 to 8192."),
        ({"inner": {"size": 10**400}}, "The option 'inner.size' must be from 1 to 8192."),
        ({"inner": {"mean": 5}}, "The option 'inner.mean' must be a list of numbers."),
        (
            {"inner": {"mean": [1, 2]}},
            "The option 'inner.mean' has 2 numbers; it must have 1 or 3.",
        ),
        ({"inner": {"mean": [1e9]}}, "The option 'inner.mean' must be from -1000 to 1000."),
        ({"inner": {"mean": [10**400]}}, "The option 'inner.mean' must be from -1000 to 1000."),
        ({"inner": {"shape": [1.5]}}, "The option 'inner.shape' must be a whole number."),
    ],
)
def test_it_says_what_is_wrong(values: dict[str, object], message: str) -> None:
    with pytest.raises(InferenceError) as caught:
        parse(Outer, values if "name" in values or not values else {"name": "a", **values})
    assert message in str(caught.value)
    assert caught.value.permanent
