"""Pictures for the detectors of models.py."""

from __future__ import annotations

from inference.runtimes.base import Image
from inference.runtimes.boxes import iou
from sightline.messages import Box, Detection
from tests.inference.pictures import blank

PAINT = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}
# 1280 x 720 in an input of 128 x 128: a tenth, with bars of 28 pixels above and below.
SCALE, BAR, CELL = 10, 28, 16


def square(column: int, row: int) -> tuple[int, int, int, int]:
    """The pixels x0, y0, x1, y1 of a 1280 x 720 picture that fill the cell."""
    left, top = column * CELL * SCALE, (row * CELL - BAR) * SCALE
    return left, top, left + CELL * SCALE, top + CELL * SCALE


def scene(*squares: tuple[str, int, int]) -> Image:
    """A grey 1280 x 720 picture with squares: colour, column and row (2 to 5) in the detector's
    grid.
    """
    image = blank(1280, 720)
    for colour, column, row in squares:
        x0, y0, x1, y1 = square(column, row)
        image[y0:y1, x0:x1] = PAINT[colour]
    return image


def expected(column: int, row: int) -> Box:
    """The square's box in 0..1."""
    x0, y0, x1, y1 = square(column, row)
    return x0 / 1280, y0 / 720, x1 / 1280, y1 / 720


def sees(found: tuple[Detection, ...], *squares: tuple[str, int, int]) -> bool:
    """Whether exactly these squares were found, where they are."""
    if len(found) != len(squares):
        return False
    return all(
        any(
            item.label == colour and item.box and iou(item.box, expected(column, row)) > 0.98
            for item in found
        )
        for colour, column, row in squares
    )
