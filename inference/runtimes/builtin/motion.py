"""Motion: what moves against the picture's own background."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from inference.runtimes.base import Image, Picture
from inference.runtimes.boxes import from_pixels
from inference.runtimes.options import Options, number
from sightline.messages import Detection

MAX_CAMERAS: Final = 64
FORGET_AFTER_S: Final = 60.0


class MotionOptions(Options):
    """How motion is looked for."""

    width: int = number(320, 64, 1280, "Width in pixels that pictures are scaled down to.")
    history: int = number(200, 10, 5000, "Frames that the background is learned from.")
    threshold: float = number(
        25.0, 4.0, 400.0, "Squared distance from the background, in variances, that is motion."
    )
    warmup: int = number(15, 1, 1000, "Frames seen before the first boxes.")
    min_area: float = number(0.002, 0.0, 1.0, "Smallest box, as a share of the picture.")
    min_score: float = number(0.05, 0.0, 1.0, "Smallest share of moving pixels in a box.")
    gap: float = number(
        0.05, 0.0, 0.5, "Regions closer than this share of the width become one box."
    )
    max_boxes: int = number(8, 1, 100, "Largest number of boxes in a picture.")


@dataclass(slots=True)
class _Background:
    """What is known of one camera."""

    model: cv2.BackgroundSubtractorMOG2
    shape: tuple[int, ...]
    used_at: float
    frames: int = 0


class Motion:
    """Moving regions by a mixture-of-Gaussians background (Zivkovic 2004, OpenCV's MOG2), one a
    camera.

    ``score`` is the share of the box's pixels that move: 1 for a rectangle that moves as a
    whole, less for thin things. A camera's background starts afresh when its pictures change
    size, and after a minute without pictures.
    """

    Options = MotionOptions

    def __init__(self, options: MotionOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._backgrounds: OrderedDict[str, _Background] = OrderedDict()
        self._open = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        reach = max(3, round(options.width * options.gap) | 1)
        self._join = cv2.getStructuringElement(cv2.MORPH_RECT, (reach, reach))

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        """The moving regions of each picture, largest first; pictures of one camera must come in
        their order.
        """
        self._forget()
        return [self._predict(picture) for picture in batch]

    def close(self) -> None:
        """Forget all backgrounds."""
        self._backgrounds.clear()

    def _predict(self, picture: Picture) -> tuple[Detection, ...]:
        gray = cv2.GaussianBlur(picture.gray(self._options.width), (5, 5), 0)
        background = self._background(picture.camera, gray.shape)
        background.frames += 1
        moving = background.model.apply(gray)
        if background.frames <= self._options.warmup:
            return ()
        mask = np.asarray(cv2.morphologyEx(moving, cv2.MORPH_OPEN, self._open), dtype=np.uint8)
        found = sorted(self._regions(mask), key=lambda region: region[0], reverse=True)
        return tuple(detection for _, detection in found[: self._options.max_boxes])

    def _regions(self, mask: Image) -> Iterator[tuple[int, Detection]]:
        """Pixels covered and detection of each group of moving pixels."""
        height, width = mask.shape
        _, groups, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(mask, self._join))
        for group, (x, y, w, h, _) in enumerate(stats.tolist()):
            if group == 0:
                continue
            own = np.where(
                groups[y : y + h, x : x + w] == group, mask[y : y + h, x : x + w], 0
            ).astype(np.uint8)
            left, top, across, down = cv2.boundingRect(own)
            pixels = across * down
            if pixels == 0 or pixels < self._options.min_area * width * height:
                continue
            score = cv2.countNonZero(own) / pixels
            box = from_pixels(x + left, y + top, x + left + across, y + top + down, width, height)
            if score >= self._options.min_score:
                yield pixels, Detection("motion", round(score, 4), box)

    def _background(self, camera: str, shape: tuple[int, ...]) -> _Background:
        known = self._backgrounds.pop(camera, None)
        if known is None or known.shape != shape:
            known = _Background(self._model(), shape, 0.0)
        known.used_at = self._clock()
        self._backgrounds[camera] = known
        if len(self._backgrounds) > MAX_CAMERAS:
            self._backgrounds.popitem(last=False)
        return known

    def _model(self) -> cv2.BackgroundSubtractorMOG2:
        model = cv2.createBackgroundSubtractorMOG2(
            self._options.history, self._options.threshold, detectShadows=False
        )
        # With OpenCV's own 5 and 0.9, what passes again and again (parcels, cars) soon counts as
        # background.
        model.setNMixtures(3)
        model.setBackgroundRatio(0.7)
        return model

    def _forget(self) -> None:
        """Drop the cameras not seen for a while: they are first in the order of use."""
        oldest = self._clock() - FORGET_AFTER_S
        while self._backgrounds and next(iter(self._backgrounds.values())).used_at < oldest:
            self._backgrounds.popitem(last=False)
