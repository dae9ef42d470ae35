"""People: upright persons that are wholly in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from inference.runtimes.base import Image, Picture
from inference.runtimes.boxes import from_pixels
from inference.runtimes.errors import InferenceError, OptionError
from inference.runtimes.options import Options, number
from inference.runtimes.scores import logistic
from sightline.messages import Detection

WINDOW: Final = (64, 128)
# "Our 64 x 128 detection window includes about 16 pixels of margin around the person on all four
# sides" (Dalal and Triggs, Histograms of Oriented Gradients for Human Detection, CVPR 2005).
MARGIN: Final = (16 / 64, 16 / 128)


class PeopleOptions(Options):
    """How people are looked for."""

    width: int = number(
        640, 128, 1920, "Width in pixels of the search: finds people 100 pixels high or more there."
    )
    min_score: float = number(0.65, 0.5, 1.0, "Smallest score that is given.")
    stride: int = number(
        8, 8, 32, "Step of the search in pixels, a multiple of 8: larger is faster, misses more."
    )
    scale: float = number(
        1.05, 1.01, 2.0, "Factor from one size searched to the next: larger is faster, misses more."
    )
    overlap: float = number(
        0.4, 0.0, 1.0, "Two finds that overlap by more than this (IoU) are one person."
    )


class People:
    """Persons by OpenCV's histogram-of-gradients detector and its default support vector machine,
    label "person".

    ``score`` = 1 / (1 + exp(-d)), where d is the distance from the machine's decision boundary.
    Of finds that overlap, the best is kept. The box is the detector's window without the margin
    that it was trained with.
    """

    Options = PeopleOptions

    def __init__(self, options: PeopleOptions) -> None:
        if options.stride % 8:
            raise OptionError(("stride",), "must be a multiple of 8.")
        self._options = options
        self._detector: cv2.HOGDescriptor | None = None

    def load(self) -> None:
        """Make the detector."""
        detector = cv2.HOGDescriptor()
        detector.setSVMDetector(
            np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector(), dtype=np.float32)
        )
        self._detector = detector

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        """The persons in each picture, surest first."""
        detector = self._detector
        if detector is None:
            raise InferenceError("The model is not loaded.", permanent=False)
        return [self._predict(detector, picture.gray(self._options.width)) for picture in batch]

    def close(self) -> None:
        """Free the detector."""
        self._detector = None

    def _predict(self, detector: cv2.HOGDescriptor, image: Image) -> tuple[Detection, ...]:
        height, width = image.shape
        if width < WINDOW[0] or height < WINDOW[1]:
            return ()
        stride = (self._options.stride, self._options.stride)
        scale = self._options.scale
        found, distances = detector.detectMultiScale(
            image, winStride=stride, scale=scale, groupThreshold=0
        )
        windows = np.reshape(np.asarray(found, dtype=np.int32), (-1, 4)).tolist()
        scores = [logistic(distance) for distance in np.ravel(distances).tolist()]
        best = cv2.dnn.NMSBoxes(windows, scores, self._options.min_score, self._options.overlap)
        persons = (
            _person(windows[index], scores[index], width, height)
            for index in np.ravel(best).tolist()
        )
        return tuple(person for person in persons if person is not None)


def _person(window: Sequence[int], score: float, width: int, height: int) -> Detection | None:
    x, y, across, down = window
    side, end = across * MARGIN[0], down * MARGIN[1]
    box = from_pixels(x + side, y + end, x + across - side, y + down - end, width, height)
    return None if box is None else Detection("person", round(score, 4), box)
