"""A canvas for the still parts of the demo scene."""

from __future__ import annotations

import cv2
import numpy as np

from cameras.sources.planes import Plane, as_plane

Colour = tuple[int, int, int]

SUPERSAMPLE = 2


class Canvas:
    """An image in units from its top left, drawn larger than needed and smoothly scaled down."""

    def __init__(self, width: int, height: int, unit: int) -> None:
        self.size = (width, height)
        self.width, self.height = width / unit, height / unit
        self._zoom = unit * SUPERSAMPLE
        self.bgr = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE, 3), np.uint8)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round(x * self._zoom), round(y * self._zoom)

    def shade(self, top: Colour, bottom: Colour, y0: float = 0, y1: float | None = None) -> None:
        """Fill from `y0` to `y1` with a gradient."""
        first, last = (
            round(y0 * self._zoom),
            self.bgr.shape[0] if y1 is None else round(y1 * self._zoom),
        )
        rows = self.bgr[first:last]
        mix = np.linspace(0, 1, len(rows), dtype=np.float32)[:, None]
        rows[:] = (
            (np.asarray(top) * (1 - mix) + np.asarray(bottom) * mix)
            .round()
            .astype(np.uint8)[:, None, :]
        )

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        (left, top), (right, bottom) = self._at(x0, y0), self._at(x1, y1)
        cv2.rectangle(self.bgr, (left, top), (right - 1, bottom - 1), colour, -1)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: Colour, thickness: float
    ) -> None:
        pixels = max(1, round(thickness * self._zoom))
        cv2.line(self.bgr, self._at(*start), self._at(*end), colour, pixels, cv2.LINE_AA)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        cv2.circle(self.bgr, self._at(x, y), round(radius * self._zoom), colour, -1, cv2.LINE_AA)

    def slanted(
        self, x0: float, x1: float, y0: float, y1: float, slant: float, colour: Colour
    ) -> None:
        corners = [
            self._at(x0 + slant, y0),
            self._at(x1 + slant, y0),
            self._at(x1, y1),
            self._at(x0, y1),
        ]
        cv2.fillPoly(self.bgr, [np.asarray(corners, np.int32)], colour, cv2.LINE_AA)

    def write(self, text: str, x: float, y: float, size: float, colour: Colour) -> None:
        """`text` centred on `x`, standing on `y`, with letters `size` units high."""
        scale, stroke = size * self._zoom / 21.0, max(1, round(size * self._zoom / 9))
        width = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, stroke)[0][0]
        left, bottom = self._at(x, y)
        cv2.putText(
            self.bgr,
            text,
            (left - width // 2, bottom),
            cv2.FONT_HERSHEY_DUPLEX,
            scale,
            colour,
            stroke,
            cv2.LINE_AA,
        )

    def blur(self, y0: float, y1: float, radius: float) -> None:
        rows = self.bgr[round(y0 * self._zoom) : round(y1 * self._zoom)]
        rows[:] = cv2.GaussianBlur(rows, (0, 0), radius * self._zoom)

    def finish(self) -> Plane:
        return as_plane(cv2.resize(self.bgr, self.size, interpolation=cv2.INTER_AREA))


def tint(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255, round(part * factor)) for part in colour)
    return blue, green, red
