"""What every model runtime is, and what it is given.

A runtime is made with its options, loads in the worker that uses it, predicts on batches of
pictures, and is closed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, Protocol, Self

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from inference.runtimes.errors import InferenceError
from sightline.messages import Detection, Frame, FrameRef

Image = NDArray[np.uint8]
Mode = Literal["GRAY", "BGR"]
Decoding = tuple[
    Mode, int | None
]  # the colours and the greatest width that a model decodes a picture with

CROP_QUALITY: Final = 90

MAX_JPEG_BYTES: Final = 8 * 1024 * 1024
MAX_PIXELS: Final = 7680 * 4320


class Picture:
    """One frame given to models: decoded on first use, at the scale needed, once per mode and
    scale.

    ``width`` and ``height`` are what the JPEG's header says; what the frame says of itself only
    where that cannot be read. The arrays are read-only, because several models may share them; a
    picture belongs to one thread at a time. A JPEG that is broken, cut off or too large raises a
    permanent InferenceError.
    """

    __slots__ = (
        "_array",
        "_decoded",
        "_decodings",
        "_jpeg",
        "_size",
        "camera",
        "captured_at",
        "height",
        "seq",
        "width",
    )

    def __init__(self, frame: Frame) -> None:
        self.camera = frame.camera
        self.seq = frame.seq
        self.captured_at = frame.captured_at
        self._jpeg: bytes | None = frame.jpeg
        self._array: Image | None = None
        self._size: tuple[int, int] | None = None
        with contextlib.suppress(
            InferenceError
        ):  # which is raised again when the picture is looked at
            self._size = jpeg_size(frame.jpeg)
        self.width, self.height = self._size or (frame.width, frame.height)
        self._decoded: dict[tuple[Mode, int], Image] = {}
        self._decodings: dict[Decoding, None] = {}

    @classmethod
    def of_array(cls, image: Image, camera: str, frame: FrameRef) -> Self:
        """A picture that is already decoded, such as a part of a frame: ``image`` in OpenCV's
        colour order, shape (height, width, 3).
        """
        height, width = image.shape[:2]
        made = cls(Frame(camera, frame.seq, frame.captured_at, width, height, b""))
        made._jpeg = None
        made._size = (width, height)
        made._array = image.view()
        made._array.flags.writeable = False
        made._decoded["BGR", width] = made._array
        return made

    @property
    def jpeg(self) -> bytes:
        """The picture as a JPEG: the camera's own, or encoded now, once."""
        if self._jpeg is None:
            self._jpeg = bytes(
                simplejpeg.encode_jpeg(
                    np.ascontiguousarray(self._array), CROP_QUALITY, "BGR", "420"
                )
            )
        return self._jpeg

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """The decodings that were used so far."""
        return tuple(self._decodings)

    def sized(self, frame: FrameRef) -> FrameRef:
        """The frame that this picture is of, with the picture's own size."""
        return replace(frame, width=self.width, height=self.height)

    def prepare(self, decodings: Iterable[Decoding]) -> None:
        """Decode in advance. An error is raised only when the image is used."""
        with contextlib.suppress(InferenceError):
            for mode, max_width in decodings:
                self._image(mode, max_width)
        self._decodings.clear()

    def gray(self, max_width: int | None = None) -> Image:
        """Brightness, shape (height, width), at most ``max_width`` wide; the aspect ratio is
        kept.
        """
        return self._image("GRAY", max_width)

    def bgr(self, max_width: int | None = None) -> Image:
        """Colours in OpenCV's order, shape (height, width, 3), at most ``max_width`` wide; the
        aspect ratio is kept.
        """
        return self._image("BGR", max_width)

    def _image(self, mode: Mode, max_width: int | None) -> Image:
        self._decodings[mode, max_width] = None
        if self._size is None:
            self._size = jpeg_size(self.jpeg)
        size = _fit(self._size, max_width)
        key = (mode, size[0])
        if key not in self._decoded:
            image = self._made(mode, size, self._size)
            image.flags.writeable = False
            self._decoded[key] = image
        return self._decoded[key]

    def _made(self, mode: Mode, size: tuple[int, int], full: tuple[int, int]) -> Image:
        whole = self._decoded.get((mode, full[0]))
        if whole is None and self._array is not None:
            whole = np.asarray(cv2.cvtColor(self._array, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        return _resize(_decode(self.jpeg, mode, size, full) if whole is None else whole, size)


class Runtime(Protocol):
    """A model. Making one costs nothing: files and connections are opened by
    ``load``.
    """

    def load(self) -> None:
        """Load the model. Raises InferenceError with the reason."""

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        """The detections of each picture, in the order of the batch; InferenceError fails the
        whole batch.
        """

    def close(self) -> None:
        """Free what ``load`` took; safe to call twice, and without ``load``."""


def jpeg_size(jpeg: bytes) -> tuple[int, int]:
    """Width and height as the JPEG's header says, before anything is decoded.

    Raises a permanent InferenceError when it is empty, no JPEG or too large.
    """
    if not jpeg:
        raise InferenceError("The frame is empty: it holds no picture.", permanent=True)
    if len(jpeg) > MAX_JPEG_BYTES:
        mebibytes = len(jpeg) / 2**20
        raise InferenceError(
            f"The frame has {mebibytes:.1f} MiB; 8 MiB at most are accepted.", permanent=True
        )
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    except ValueError as err:
        raise InferenceError(
            "The frame is not a JPEG picture, or its header is broken.", permanent=True
        ) from err
    if width * height > MAX_PIXELS:
        size = f"{width} x {height} pixels"
        raise InferenceError(
            f"The frame has {size}; 33 megapixels at most are accepted.", permanent=True
        )
    return width, height


def decode_jpeg(jpeg: bytes, mode: Mode, **scale: int) -> Image:
    """The picture, shape (height, width) or (height, width, 3); ``scale`` takes simplejpeg's
    ``min_width`` and so on.

    A cut-off or damaged JPEG raises a permanent InferenceError: half a picture filled up with
    grey would give wrong predictions. Padding before the end marker, which many cameras write,
    is accepted.
    """
    try:
        return _simplejpeg(jpeg, mode, strict=True, **scale)
    except ValueError as err:
        if "extraneous bytes" not in str(err):
            raise InferenceError("The JPEG picture is broken or cut off.", permanent=True) from err
    try:
        return _simplejpeg(jpeg, mode, strict=False, **scale)
    except ValueError as err:
        raise InferenceError("The JPEG picture is broken.", permanent=True) from err


def _simplejpeg(jpeg: bytes, mode: Mode, **options: Any) -> Image:
    image: Image = simplejpeg.decode_jpeg(jpeg, mode, **options)
    return image[:, :, 0] if mode == "GRAY" else image


def _fit(size: tuple[int, int], max_width: int | None) -> tuple[int, int]:
    width, height = size
    if max_width is None or max_width >= width:
        return size
    return max_width, max(1, round(height * max_width / width))


def _decode(jpeg: bytes, mode: Mode, wanted: tuple[int, int], full: tuple[int, int]) -> Image:
    # libjpeg's scales between one half and one have no fast path: decoding whole and resizing is
    # quicker.
    if wanted[0] * 2 > full[0]:
        return decode_jpeg(jpeg, mode)
    return decode_jpeg(jpeg, mode, min_width=wanted[0], min_height=wanted[1], min_factor=2)


def _resize(image: Image, size: tuple[int, int]) -> Image:
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
