"""Frames at the size that a viewer shows: scaled once per frame and size, for all viewers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import simplejpeg

from sightline.messages import Frame

SIZES = (160, 320, 480, 640, 960, 1280, 1920)
QUALITY = 80
MAX_PIXELS = 33_000_000

pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="scaled-frames")


class FrameError(Exception):
    """The JPEG cannot be decoded, or is larger than we are willing to decode."""


class ScaledFrame:
    """A frame at one size, and the bytes in which it goes out. For one event loop."""

    __slots__ = ("_written", "frame")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._written: dict[Callable[[Frame], bytes], bytes] = {}

    def written(self, write: Callable[[Frame], bytes]) -> bytes:
        """What ``write`` makes of the frame, made once and shared by all viewers."""
        if (data := self._written.get(write)) is None:
            data = self._written[write] = write(self.frame)
        return data


class LiveFrame:
    """The newest frame of a channel, and its smaller sizes, which live as long as it does.

    ``read_at``: when it was read (ns), if it is traced.
    """

    __slots__ = ("_scaled", "_whole", "frame", "read_at")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.read_at = time.time_ns() if frame.trace else 0
        self._whole = ScaledFrame(frame)
        self._scaled: dict[int, Future[ScaledFrame]] = {}

    def start(self, width: int | None) -> Future[ScaledFrame] | None:
        """Start scaling unless that is under way; None when the frame needs no scaling."""
        size = size_for(width) if width else None
        if size is None or self.frame.width <= size:
            return None
        if (future := self._scaled.get(size)) is None:
            future = self._scaled[size] = pool.submit(_scaled_frame, self.frame, size)
        return future

    async def at(self, width: int | None) -> ScaledFrame:
        """The frame at the size for ``width``, or untouched when it is no wider than that;
        FrameError when it cannot be decoded.
        """
        future = self.start(width)
        if future is None:
            return self._whole
        if future.done():
            return future.result()
        # Shielded: one viewer who leaves must not cancel the work that others wait for.
        return await asyncio.shield(asyncio.wrap_future(future))


def size_for(width: int) -> int | None:
    """The narrowest of SIZES that is ``width`` or wider; None when all are narrower."""
    return next((size for size in SIZES if size >= width), None)


def narrower(width: int, steps: int) -> int:
    """The size so many ``steps`` below the one for ``width``, or the smallest."""
    size = size_for(width)
    at = len(SIZES) if size is None else SIZES.index(size)
    return SIZES[max(0, at - steps)]


def sizes_below(width: int) -> int:
    """How many of SIZES are narrower."""
    return sum(size < width for size in SIZES)


def _scaled_frame(frame: Frame, width: int) -> ScaledFrame:
    return ScaledFrame(scaled(frame, width))


def scaled(frame: Frame, width: int) -> Frame:
    """The frame at ``width`` or, where libjpeg's eighths do not meet it, a little wider.
    FrameError when it cannot be decoded.
    """
    try:
        height, full_width, _, _ = simplejpeg.decode_jpeg_header(frame.jpeg)
        if height * full_width > MAX_PIXELS:
            raise FrameError(f"{full_width} x {height} pixels are too many")
        pixels = simplejpeg.decode_jpeg(
            frame.jpeg, colorspace="RGB", fastdct=True, min_width=width, min_factor=1
        )
        jpeg = simplejpeg.encode_jpeg(
            pixels, quality=QUALITY, colorspace="RGB", colorsubsampling="420", fastdct=True
        )
    except ValueError as err:
        raise FrameError(str(err)) from err
    return replace(frame, width=pixels.shape[1], height=pixels.shape[0], jpeg=jpeg)
