"""Pictures at the size that a viewer shows: made once per frame and size, whatever the number of
viewers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import simplejpeg

from sightline.messages import Frame

LADDER = (160, 320, 480, 640, 960, 1280, 1920)
QUALITY = 80
MAX_PIXELS = 33_000_000

pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="rendition")


class PictureError(Exception):
    """The JPEG cannot be decoded, or is larger than we are willing to decode."""


class ScaledFrame:
    """A frame at one size, and the bytes in which it goes out. For one event loop."""

    __slots__ = ("_written", "frame")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._written: dict[Callable[[Frame], bytes], bytes] = {}

    def written(self, write: Callable[[Frame], bytes]) -> bytes:
        """What ``write`` makes of the frame: made once and shared by all viewers."""
        if (data := self._written.get(write)) is None:
            data = self._written[write] = write(self.frame)
        return data


class LivePicture:
    """A frame and its smaller renditions, which live as long as the frame is looked at.
    ``read_at``: of one that is traced, when it came (ns).
    """

    __slots__ = ("_scaled", "_whole", "frame", "read_at")

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.read_at = time.time_ns() if frame.trace else 0
        self._whole = ScaledFrame(frame)
        self._scaled: dict[int, Future[ScaledFrame]] = {}

    def begin(self, width: int | None) -> Future[ScaledFrame] | None:
        """Start to make the rendition if it is not under way; None when the frame serves as it
        is.
        """
        step = rung(width) if width else None
        if step is None or self.frame.width <= step:
            return None
        if (future := self._scaled.get(step)) is None:
            future = self._scaled[step] = pool.submit(_rendition, self.frame, step)
        return future

    async def at(self, width: int | None) -> ScaledFrame:
        """The frame at the next size of the ladder that is ``width`` or wider, or untouched when it
        is no wider than that.

        PictureError when it cannot be decoded.
        """
        future = self.begin(width)
        if future is None:
            return self._whole
        if future.done():
            return future.result()
        # Shielded: one viewer who leaves must not cancel the work that others wait for.
        return await asyncio.shield(asyncio.wrap_future(future))


def rung(width: int) -> int | None:
    """The narrowest size of the ladder that is ``width`` or wider; None above the ladder: as it
    is.
    """
    return next((step for step in LADDER if step >= width), None)


def narrower(width: int, steps: int) -> int:
    """The size of the ladder that many steps below the one that ``width`` would get; the
    smallest when there are not so many.
    """
    step = rung(width)
    at = len(LADDER) if step is None else LADDER.index(step)
    return LADDER[max(0, at - steps)]


def sizes_below(width: int) -> int:
    """How many sizes of the ladder are narrower."""
    return sum(step < width for step in LADDER)


def _rendition(frame: Frame, width: int) -> ScaledFrame:
    return ScaledFrame(scaled(frame, width))


def scaled(frame: Frame, width: int) -> Frame:
    """The frame at ``width`` or, where libjpeg's eighths do not meet it, a little wider.
    PictureError when it cannot be decoded.
    """
    try:
        height, full_width, _, _ = simplejpeg.decode_jpeg_header(frame.jpeg)
        if height * full_width > MAX_PIXELS:
            raise PictureError(f"{full_width} x {height} pixels are too many")
        pixels = simplejpeg.decode_jpeg(
            frame.jpeg, colorspace="RGB", fastdct=True, min_width=width, min_factor=1
        )
        jpeg = simplejpeg.encode_jpeg(
            pixels, quality=QUALITY, colorspace="RGB", colorsubsampling="420", fastdct=True
        )
    except ValueError as err:
        raise PictureError(str(err)) from err
    return replace(frame, width=pixels.shape[1], height=pixels.shape[0], jpeg=jpeg)
