"""The line at the top left of the demo scene: which belt, the clock and the frame's number."""

from __future__ import annotations

import cv2
import numpy as np

from cameras.sources.demo.canvas import Colour
from cameras.sources.demo.layout import SceneLayout, even
from cameras.sources.planes import Plane, Planes, as_plane

PILL: Colour = (24, 18, 14)


class Captions:
    """Writes the clock and the frame's number, in figures of one width."""

    def __init__(self, layout: SceneLayout, line: int) -> None:
        self._glyphs = _glyphs("0123456789:.#", layout.unit)
        self._cell = self._glyphs["0"].shape[1]
        self._x, self._y = _caption_at(layout)
        self._x += self._cell * (len(_title(line)) + 2)

    def draw(self, y_plane: Plane, clock: str, seq: int) -> None:
        """Write over the background's pill. It has no colour, so only the Y plane changes."""
        _write(y_plane, self._glyphs, clock, self._x, self._y)
        x = self._x + self._cell * (len(clock) + 2)
        _write(y_plane, self._glyphs, f"#{seq % 1_000_000:06d}", x, self._y)


def write_title(y_plane: Plane, layout: SceneLayout, line: int) -> None:
    """Write the part of the captions that stays."""
    title = _title(line)
    _write(y_plane, _glyphs(title, layout.unit), title, *_caption_at(layout))


def draw_pill(image: Plane, layout: SceneLayout, line: int) -> None:
    unit = layout.unit
    x, y = _caption_at(layout)
    cells = len(_title(line)) + 2 + len("00:00:00.000") + 2 + len("#000000")
    left, top, right, bottom = (
        x - 2 * unit,
        y - unit,
        x + (2 * cells + 2) * unit,
        y + even(3.6 * unit) + unit,
    )
    radius = (bottom - top) // 2
    for centre in (left + radius // 2, right - radius // 2):
        cv2.circle(image, (centre, top + radius), radius, PILL, -1, cv2.LINE_AA)
    cv2.rectangle(
        image, (left + radius // 2, top), (right - radius // 2, top + 2 * radius), PILL, -1
    )


def _glyphs(chars: str, unit: int) -> dict[str, Plane]:
    """Each character in a cell of the same size, white on the pill's grey."""
    width, height, zoom = 2 * unit, even(3.6 * unit), 4
    ground = _luma(PILL)
    cells = {}
    for char in chars:
        cell = np.full((height * zoom, width * zoom), ground, np.uint8)
        scale = unit * zoom / 13.0
        (text_width, text_height), _ = cv2.getTextSize(
            char, cv2.FONT_HERSHEY_DUPLEX, scale, unit * zoom // 5
        )
        at = ((width * zoom - text_width) // 2, (height * zoom + text_height) // 2)
        cv2.putText(
            cell,
            char,
            at,
            cv2.FONT_HERSHEY_DUPLEX,
            scale,
            236,
            max(1, unit * zoom // 5),
            cv2.LINE_AA,
        )
        cells[char] = as_plane(cv2.resize(cell, (width, height), interpolation=cv2.INTER_AREA))
    return cells


def _caption_at(layout: SceneLayout) -> tuple[int, int]:
    return even(4.5 * layout.unit), even(3 * layout.unit)


def _luma(colour: Colour) -> int:
    return int(Planes.from_bgr(np.full((2, 2, 3), colour, np.uint8)).y[0, 0])


def _write(y_plane: Plane, glyphs: dict[str, Plane], text: str, x: int, y: int) -> None:
    for number, char in enumerate(text):
        glyph = glyphs[char]
        height, width = glyph.shape
        left = x + number * width
        y_plane[y : y + height, left : left + width] = glyph


def _title(line: int) -> str:
    return f"CONVEYOR {line}"
