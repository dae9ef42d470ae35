"""Option fields that several adapters have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from inference.runtimes.adapters.labels import read_labels
from inference.runtimes.options import choice, number

PIXELS: Final = "pixels"
NORMALISED: Final = "normalised"


def labels() -> Any:
    """A dataclass field for the names of classes: a list, or the text of a labels file."""
    about = (
        "Names of the classes in the order of their numbers: a list, or the text of a labels file"
        " (JSON, or one label a line)."
    )
    return field(default=(), metadata={"check": _labels, "help": about})


def offset(default: int = 0) -> Any:
    """A dataclass field for what is added to a class number to find its label."""
    return number(
        default,
        -100_000,
        100_000,
        "Added to a class number to find its label: -1 where the model counts from 1, or has a"
        " background class.",
    )


def min_score(default: float) -> Any:
    """A dataclass field for the smallest score."""
    return number(default, 0.0, 1.0, "Smallest score that is given.")


def most(default: int) -> Any:
    """A dataclass field for the largest number of detections."""
    return number(default, 1, 1000, "Largest number of detections that is given for a picture.")


def coordinates(default: str) -> Any:
    """A dataclass field for the unit of boxes."""
    return choice(
        default,
        (PIXELS, NORMALISED),
        "Boxes are in pixels of the model's input, or normalised: 0 to 1 of it.",
    )


def _labels(
    name: str, metadata: Mapping[str, Any], default: object, value: object
) -> tuple[str, ...]:
    return read_labels(value)
