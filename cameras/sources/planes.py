"""Frames as the three planes that a JPEG holds: full-range Y, Cb, Cr, colour at half the size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Planes:
    """`y` is (h, w); `u` (Cb) and `v` (Cr) are ((h + 1) // 2, (w + 1) // 2)."""

    y: Plane
    u: Plane
    v: Plane

    @classmethod
    def from_bgr(cls, bgr: Plane) -> Planes:
        """From an (h, w, 3) image of even size, by JPEG's colour matrix (BT.601, full range)."""
        y, cr, cb = cv2.split(cv2.cvtColor(bgr, cv2.COLOR_BGR2YCrCb))
        half = (bgr.shape[1] // 2, bgr.shape[0] // 2)
        return cls(as_plane(y), shrink(as_plane(cb), half), shrink(as_plane(cr), half))

    def resize(self, width: int, height: int) -> Planes:
        """Scaled down to an even size."""
        half = (width // 2, height // 2)
        return Planes(
            *(
                shrink(plane, size)
                for plane, size in ((self.y, (width, height)), (self.u, half), (self.v, half))
            )
        )


def scaled_size(width: int, height: int, max_width: int | None) -> tuple[int, int]:
    """The size after the width cap: unchanged if it fits, else even in both directions with the
    same aspect.
    """
    if not max_width or width <= max_width:
        return width, height
    scaled = max(2, max_width // 2 * 2)
    return scaled, max(2, round(height * scaled / width / 2) * 2)


def sample_points(luma: Plane) -> Plane:
    """Single pixels at even distances, at least 80 x 45 where there are as many. Averages would
    hide a sensor's noise.
    """
    height, width = luma.shape
    down, right = max(1, height // 45), max(1, width // 80)
    return luma[down // 2 :: down, right // 2 :: right].copy()


def as_plane(array: object) -> Plane:
    return np.ascontiguousarray(array, dtype=np.uint8)


def shrink(image: Plane, size: tuple[int, int]) -> Plane:
    """A plane or a BGR image scaled down to (width, height)."""
    height, width = image.shape[:2]
    whole = width % size[0] == 0 and height % size[1] == 0
    # INTER_AREA looks best and is fast at whole factors. Between them it takes ten times as long as
    # INTER_LINEAR, which is good enough below a factor of 2.
    how = cv2.INTER_AREA if whole or width >= 2 * size[0] else cv2.INTER_LINEAR
    return as_plane(cv2.resize(image, size, interpolation=how))
