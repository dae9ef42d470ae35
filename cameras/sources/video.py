"""Decoded video frames: from the decoder's planes to JPEG without a detour over RGB."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import av
import cv2
import numpy as np
import simplejpeg
from av.container import InputContainer
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Interpolation
from av.video.stream import VideoStream

from cameras.sources.base import CorruptFrame, Jpeg, Look
from cameras.sources.planes import Plane, Planes, as_plane, points, scaled_size

# Video keeps luma in 16..235 and colour in 16..240 (ITU-R BT.601 and BT.709); JPEG uses 0..255 for
# all.
_LEVELS = np.arange(256, dtype=np.float64)
FULL_LUMA = np.clip((_LEVELS - 16) * 255 / 219, 0, 255).round().astype(np.uint8)
LUMA_FIRST = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12")
LOOK_SIZE = (160, 90)
FULL_CHROMA = np.clip((_LEVELS - 128) * 255 / 224 + 128, 0, 255).round().astype(np.uint8)


@dataclass(frozen=True, slots=True)
class VideoGrab:
    """A decoded frame. It may be damaged, which shows only when its JPEG is asked for.
    `key_frame`: when the newest one came (ns).
    """

    captured_at: int
    frame: av.VideoFrame
    key_frame: int = 0

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        if self.frame.is_corrupt:
            raise CorruptFrame("the frame is damaged")
        width, height = scaled_size(self.frame.width, self.frame.height, max_width)
        planes = full_range_planes(
            self.frame, None if width == self.frame.width else (width, height)
        )
        return Jpeg(
            simplejpeg.encode_jpeg_yuv_planes(planes.y, planes.u, planes.v, quality), width, height
        )

    def look(self) -> Look:
        frame = self.frame
        if frame.format.name not in LUMA_FIRST:
            frame = frame.reformat(
                *LOOK_SIZE,
                format="yuvj420p",
                dst_color_range=ColorRange.JPEG,
                interpolation=Interpolation.POINT,
            )
        luma = points(_pixels(frame.planes[0]))
        return Look(
            luma if _has_full_range(frame) else as_plane(cv2.LUT(luma, FULL_LUMA)), self.key_frame
        )


@dataclass(frozen=True, slots=True)
class BrokenGrab:
    """A packet that the decoder refused."""

    captured_at: int

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        raise CorruptFrame("the decoder refused this frame")

    def look(self) -> Look:
        raise CorruptFrame("the decoder refused this frame")


def grabs(
    container: InputContainer, stream: VideoStream
) -> Iterator[VideoGrab | BrokenGrab | None]:
    """The frames of a stream as they are decoded, and None for each packet that gave none.
    Raises FFmpeg's errors.
    """
    key_frame = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            yield BrokenGrab(time.time_ns())
            continue
        if not frames:
            yield None
        for frame in frames:
            assert isinstance(frame, av.VideoFrame)
            now = time.time_ns()
            key_frame = now if frame.key_frame else key_frame
            yield VideoGrab(now, frame, key_frame)


def prepare(stream: VideoStream) -> None:
    """Set up the decoder so that a frame comes out as soon as its packet is in: threads would
    each hold one back.
    """
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1


def full_range_planes(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Planes:
    """The frame as full-range 4:2:0 planes, scaled down to `size` when one is given."""
    full = _has_full_range(frame)
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame, full = frame.reformat(format="yuv420p", dst_color_range=ColorRange.JPEG), True
    planes = Planes(*(_pixels(plane) for plane in frame.planes[:3]))
    if size:
        planes = planes.resize(*size)
    if full:
        return Planes(as_plane(planes.y), as_plane(planes.u), as_plane(planes.v))
    return Planes(
        as_plane(cv2.LUT(planes.y, FULL_LUMA)),
        as_plane(cv2.LUT(planes.u, FULL_CHROMA)),
        as_plane(cv2.LUT(planes.v, FULL_CHROMA)),
    )


def _has_full_range(frame: av.VideoFrame) -> bool:
    return frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG


def _pixels(plane: VideoPlane) -> Plane:
    """A view of the plane without the padding at the end of its lines."""
    lines = np.frombuffer(plane, np.uint8, plane.line_size * plane.height)  # type: ignore[call-overload]
    view: Plane = lines.reshape(plane.height, plane.line_size)[:, : plane.width]
    return view
