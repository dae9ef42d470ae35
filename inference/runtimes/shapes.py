"""Shapes of tensors in words."""

from __future__ import annotations

from collections.abc import Sequence


def words(shape: Sequence[int]) -> str:
    """A shape such as "(?, 3, 640, 640)", with a question mark where any length fits."""
    return f"({', '.join('?' if length < 0 else str(length) for length in shape)})"


def list_words(shape: Sequence[int]) -> str:
    """What a record's field of a shape is: "one number", or "a list of 2 x any"."""
    lengths = " x ".join("any" if length < 0 else str(length) for length in shape)
    return f"a list of {lengths}" if shape else "one number"
