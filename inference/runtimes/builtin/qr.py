"""QR codes: where they are and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.runtimes.base import Image, Picture
from inference.runtimes.boxes import from_pixels, iou
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import Options, number
from sightline.messages import Detection

Corners = NDArray[np.float32]

# The decoder's cost grows with the picture that it is given, so each code is cut out, with this
# much around it.
DECODE_MARGIN: Final = 0.15
# Searching again around a code needs its quiet zone, and room for what the small scale got wrong.
RETRY_MARGIN: Final = 0.4


class QrOptions(Options):
    """How codes are looked for."""

    width: int = number(
        640,
        160,
        7680,
        "Width in pixels of the search: smaller is faster, larger finds smaller codes.",
    )


class QrCodes:
    """QR codes by OpenCV's ArUco-based detector: label "qr", ``text`` as decoded, the box without
    the quiet zone.

    ``score`` is always 1: a code is only given when it was decoded, and then its Reed-Solomon
    error correction has confirmed every byte. A code found at the working width and not readable
    there is looked at again at full scale; one still unreadable is left out. Modules should be
    about 3 pixels wide at the working width.
    """

    Options = QrOptions

    def __init__(self, options: QrOptions) -> None:
        self._options = options
        self._detector: cv2.QRCodeDetectorAruco | None = None

    def load(self) -> None:
        """Make the detector."""
        self._detector = cv2.QRCodeDetectorAruco()

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        """The readable codes of each picture, from left to right."""
        detector = self._detector
        if detector is None:
            raise InferenceError("The model is not loaded.", permanent=False)
        return [_in_order(self._codes(detector, picture)) for picture in batch]

    def close(self) -> None:
        """Free the detector."""
        self._detector = None

    def _codes(self, detector: cv2.QRCodeDetectorAruco, picture: Picture) -> Iterator[Detection]:
        image = picture.gray(self._options.width)
        for corners in _find(detector, image):
            code = _read(detector, image, corners)
            if code is not None:
                yield code
            elif picture.gray().shape != image.shape:
                yield from _read_around(
                    detector, picture.gray(), corners * (picture.gray().shape[1] / image.shape[1])
                )


def _find(detector: cv2.QRCodeDetectorAruco, image: Image) -> list[Corners]:
    """The four corners in pixels, shape (4, 2), of each code in sight, readable or not."""
    try:
        found, corners = detector.detectMulti(image)
    except cv2.error:  # an assertion inside OpenCV on odd geometry: nothing usable was found
        return []
    return list(np.asarray(corners, dtype=np.float32)) if found else []


def _read(detector: cv2.QRCodeDetectorAruco, image: Image, corners: Corners) -> Detection | None:
    """The code at ``corners``, None when it cannot be read."""
    cut, origin = _cut_out(image, corners, DECODE_MARGIN)
    try:
        content, _ = detector.decodeBytes(cut, (corners - origin)[np.newaxis])
    except cv2.error:  # an assertion inside OpenCV on odd geometry: unreadable
        return None
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    box = from_pixels(x0, y0, x1, y1, image.shape[1], image.shape[0])
    return Detection("qr", 1.0, box, _text(content)) if content and box else None


def _read_around(
    detector: cv2.QRCodeDetectorAruco, image: Image, corners: Corners
) -> Iterator[Detection]:
    """Search the neighbourhood of ``corners`` again and read the code found there."""
    cut, origin = _cut_out(image, corners, RETRY_MARGIN)
    for found in _find(detector, cut):
        code = _read(detector, image, found + origin)
        if code is not None:
            yield code


def _cut_out(image: Image, corners: Corners, margin: float) -> tuple[Image, Corners]:
    """The part of the picture around ``corners``, and where its top left corner lies in the
    picture.
    """
    border = margin * float(np.ptp(corners, axis=0).max())
    height, width = image.shape
    left, top = (
        np.clip(corners.min(axis=0) - border, 0, (width - 1, height - 1)).astype(int).tolist()
    )
    right, bottom = (
        np.clip(np.ceil(corners.max(axis=0) + border), 1, (width, height)).astype(int).tolist()
    )
    return np.ascontiguousarray(image[top:bottom, left:right]), np.array(
        (left, top), dtype=np.float32
    )


def _text(content: bytes) -> str:
    """UTF-8 as almost all codes are written today, else Latin-1, the symbology's own default
    (ISO/IEC 18004).
    """
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _in_order(codes: Iterable[Detection]) -> tuple[Detection, ...]:
    """From left to right, each once: the neighbourhoods of two codes may overlap."""
    kept: list[Detection] = []
    for code in codes:
        if not any(code.text == other.text and _overlap(code, other) for other in kept):
            kept.append(code)
    return tuple(sorted(kept, key=lambda code: code.box or ()))


def _overlap(first: Detection, second: Detection) -> bool:
    return first.box is not None and second.box is not None and iou(first.box, second.box) > 0.5
