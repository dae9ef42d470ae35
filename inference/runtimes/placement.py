"""Where a picture lies in a model's input, so that boxes find their way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Placement:
    """A model's input of ``width`` x ``height`` pixels, and the rectangle in it that the whole
    picture covers.

    ``left`` and ``top`` are negative where the picture is cropped.
    """

    width: int
    height: int
    left: int
    top: int
    across: int
    down: int

    def to_picture(
        self, boxes: NDArray[np.float64], normalised: bool = False
    ) -> NDArray[np.float64]:
        """Boxes x0, y0, x1, y1 (K, 4) in pixels of the input, or in 0..1 of it, as 0..1 of the
        picture, clipped to it.
        """
        unit = np.array(
            [self.width, self.height] * 2 if normalised else [1, 1] * 2, dtype=np.float64
        )
        moved = boxes * unit - np.array([self.left, self.top] * 2)
        return np.asarray(np.clip(moved / np.array([self.across, self.down] * 2), 0.0, 1.0))
