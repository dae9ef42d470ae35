"""Shapes of tensors in words."""

from __future__ import annotations

from collections.abc import Sequence


def words(shape: Sequence[int]) -> str:
    """As "(?, 3, 640, 640)": a question mark where any length goes."""
    return "(" + ", ".join("?" if length < 0 else str(length) for length in shape) + ")"
