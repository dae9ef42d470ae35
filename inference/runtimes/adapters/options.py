"""Option fields that several adapters have."""

from __future__ import annotations

from typing import Any, Final

from inference.runtimes.adapters.labels import read_labels
from inference.runtimes.options import checked_by, choice, number

PIXELS: Final = "pixels"
NORMALISED: Final = "normalised"


def labels() -> Any:
    """An option for the names of classes: a list, or the text of a labels file."""
    about = (
        "Names of the classes in the order of their numbers: a list, or the text of a labels file"
        " (JSON, or one label a line)."
    )
    return checked_by(read_labels, about, default=(), lists_labels=True)


def offset(default: int = 0) -> Any:
    """An option for what is added to a class number to find its label."""
    return number(
        default,
        -100_000,
        100_000,
        "Added to a class number to find its label: -1 where the model counts from 1, or has a"
        " background class.",
    )


def min_score(default: float) -> Any:
    """An option for the smallest score."""
    return number(default, 0.0, 1.0, "Smallest score that is given.")


def most(default: int) -> Any:
    """An option for the largest number of detections."""
    return number(default, 1, 1000, "Largest number of detections that is given for a picture.")


def coordinates(default: str) -> Any:
    """An option for the unit of boxes."""
    return choice(
        default,
        (PIXELS, NORMALISED),
        "Boxes are in pixels of the model's input, or normalised: 0 to 1 of it.",
    )
