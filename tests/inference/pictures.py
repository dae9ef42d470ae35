"""Pictures for the tests of models."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from inference.runtimes.base import Picture
from sightline.messages import Detection, Frame, FrameRef, Prediction, Timing

Image = NDArray[np.uint8]


def blank(width: int = 1280, height: int = 720, gray: int = 120) -> Image:
    """A picture of one grey, shape (height, width, 3)."""
    return np.full((height, width, 3), gray, np.uint8)


def noise(width: int = 640, height: int = 360) -> Image:
    """Blurred noise, as full of detail as a photograph."""
    return np.asarray(
        cv2.GaussianBlur(
            np.random.default_rng(7).integers(0, 255, (height, width, 3), np.uint8), (9, 9), 0
        )
    )


def encode(image: Image, quality: int = 80) -> bytes:
    """The JPEG of a picture in OpenCV's colour order."""
    jpeg: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality, "BGR", "420")
    return jpeg


def picture(image: Image | bytes, seq: int = 1, camera: str = "dock") -> Picture:
    """What a model is given."""
    jpeg = image if isinstance(image, bytes) else encode(image)
    return Picture(Frame(camera, seq, seq * 100_000_000, 1280, 720, jpeg))


def prediction(detections: Sequence[Detection], model: str = "qr") -> Prediction:
    """What a model said."""
    return Prediction(
        model, model, "1", "live", FrameRef(1, 1, 1280, 720, 0), tuple(detections), Timing(1, 1, 1)
    )


def qr_code(text: str, module: int) -> Image:
    """The symbol without its quiet zone, ``module`` pixels a module, shape (h, w, 3)."""
    symbol = cv2.QRCodeEncoder.create().encode(text)
    inner = symbol[2:-2, 2:-2]  # the encoder adds a border of two modules
    return np.asarray(
        cv2.cvtColor(np.kron(inner, np.ones((module, module), np.uint8)), cv2.COLOR_GRAY2BGR),
        np.uint8,
    )
