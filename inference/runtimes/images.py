"""Pictures that are no JPEGs: PNG."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from inference.runtimes.base import MAX_JPEG_BYTES, MAX_PIXELS, Image
from inference.runtimes.errors import InferenceError

PNG: Final = b"\x89PNG\r\n\x1a\n"
HEADER_BYTES: Final = 24


def decode_png(value: bytes) -> Image:
    """The picture in OpenCV's colour order, shape (height, width, 3); a permanent InferenceError
    when it is broken or too large.
    """
    if len(value) > MAX_JPEG_BYTES:
        raise InferenceError(
            f"The picture has {len(value) / 2**20:.1f} MiB; 8 MiB at most are accepted.",
            permanent=True,
        )
    # The header says the size: a few bytes of PNG can be gigabytes of pixels.
    width, height = (int.from_bytes(value[at : at + 4], "big") for at in (16, 20))
    if width * height > MAX_PIXELS:
        raise InferenceError(
            f"The picture has {width} x {height} pixels; 33 megapixels at most are accepted.",
            permanent=True,
        )
    try:
        image = (
            cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_COLOR)
            if len(value) > HEADER_BYTES
            else None
        )
    except cv2.error as err:
        raise InferenceError("The PNG picture is broken.", permanent=True) from err
    if image is None:
        raise InferenceError("The PNG picture is broken.", permanent=True)
    return np.asarray(image, dtype=np.uint8)
