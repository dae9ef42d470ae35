"""Faces that look towards the camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import cv2.data
import numpy as np

from inference.runtimes.base import Image, Picture
from inference.runtimes.boxes import from_pixels
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import Options, number
from inference.runtimes.scores import logistic
from sightline.messages import Detection

CASCADE: Final = "haarcascade_frontalface_alt2.xml"
# The last ``stageThreshold`` in that file: a window whose sum of votes is above it is a face.
LAST_STAGE_THRESHOLD: Final = 53.75556945800781


class FacesOptions(Options):
    """How faces are looked for."""

    width: int = number(640, 128, 1920, "Width in pixels of the search.")
    min_score: float = number(0.5, 0.0, 1.0, "Smallest score that is given.")
    min_face: float = number(
        0.04, 0.01, 1.0, "Smallest face, as a share of the picture's width: larger is faster."
    )
    scale: float = number(
        1.1, 1.01, 2.0, "Factor from one size searched to the next: larger is faster, misses more."
    )
    neighbours: int = number(
        4, 1, 50, "Finds that must agree on a face: more gives fewer false ones."
    )


class Faces:
    """Frontal faces by OpenCV's cascade of boosted Haar features (Viola and Jones 2001), label
    "face".

    ``score`` = 1 / (1 + exp(-(v - t))), where v is the sum of votes in the cascade's last stage
    and t its threshold.
    """

    Options = FacesOptions

    def __init__(self, options: FacesOptions) -> None:
        self._options = options
        self._detector: cv2.CascadeClassifier | None = None

    def load(self) -> None:
        """Read the cascade that comes with OpenCV."""
        detector = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / CASCADE))
        if detector.empty():
            raise InferenceError(
                f"The installed OpenCV lacks its data file {CASCADE}.", permanent=True
            )
        self._detector = detector

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        """The faces in each picture, surest first."""
        detector = self._detector
        if detector is None:
            raise InferenceError("The model is not loaded.", permanent=False)
        return [self._predict(detector, picture.gray(self._options.width)) for picture in batch]

    def close(self) -> None:
        """Free the cascade."""
        self._detector = None

    def _predict(self, detector: cv2.CascadeClassifier, image: Image) -> tuple[Detection, ...]:
        options = self._options
        smallest = max(20, round(image.shape[1] * options.min_face))
        found, _, votes = detector.detectMultiScale3(
            image,
            scaleFactor=options.scale,
            minNeighbors=options.neighbours,
            minSize=(smallest, smallest),
            outputRejectLevels=True,
        )
        windows = np.reshape(np.asarray(found, dtype=np.int32), (-1, 4)).tolist()
        faces = (
            _face(*pair, image.shape)
            for pair in zip(windows, np.ravel(votes).tolist(), strict=True)
        )
        sure = [face for face in faces if face is not None and face.score >= options.min_score]
        return tuple(sorted(sure, key=lambda face: face.score, reverse=True))


def _face(window: Sequence[int], votes: float, shape: tuple[int, ...]) -> Detection | None:
    x, y, across, down = window
    box = from_pixels(x, y, x + across, y + down, shape[1], shape[0])
    return (
        None
        if box is None
        else Detection("face", round(logistic(votes - LAST_STAGE_THRESHOLD), 4), box)
    )
