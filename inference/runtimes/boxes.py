"""Boxes as predictions carry them: x0, y0, x1, y1 in 0..1 of the picture."""

from __future__ import annotations

from sightline.messages import Box


def from_pixels(x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> Box | None:
    """The box of two corners in pixels, clipped to the picture; None when nothing of it is
    inside.
    """
    return clipped((x0 / width, y0 / height, x1 / width, y1 / height))


def clipped(box: Box) -> Box | None:
    """The part of the box inside the picture; None if there is no such part, or a number is not
    one (NaN).
    """
    left, top, right, bottom = (min(max(value, 0.0), 1.0) for value in box)
    return (left, top, right, bottom) if left < right and top < bottom else None


def area(box: Box) -> float:
    """The share of the picture that the box covers."""
    return (box[2] - box[0]) * (box[3] - box[1])


def iou(first: Box, second: Box) -> float:
    """Intersection over union, 0..1."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (area(first) + area(second) - shared)
