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

from cameras.sources.base import CorruptFrame, Jpeg, LumaSample
from cameras.sources.planes import Plane, Planes, as_plane, sample_points, scaled_size

# Video keeps luma in 16..235 and colour in 16..240 (ITU-R BT.601 and BT.709); JPEG uses 0..255.
_LEVELS = np.arange(256, dtype=np.float64)
FULL_LUMA = np.clip((_LEVELS - 16) * 255 / 219, 0, 255).round().astype(np.uint8)
LUMA_FIRST = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12")
SAMPLE_SIZE = (160, 90)
FULL_CHROMA = np.clip((_LEVELS - 128) * 255 / 224 + 128, 0, 255).round().astype(np.uint8)


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A frame as the decoder gave it. `jpeg` raises CorruptFrame if it is damaged. `key_frame` is
    when the newest key frame came (ns).
    """

    captured_at: int
    decoded: av.VideoFrame
    key_frame: int = 0

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        if self.decoded.is_corrupt:
            raise CorruptFrame("the frame is damaged")
        width, height = scaled_size(self.decoded.width, self.decoded.height, max_width)
        planes = full_range_planes(
            self.decoded, None if width == self.decoded.width else (width, height)
        )
        return Jpeg(
            simplejpeg.encode_jpeg_yuv_planes(planes.y, planes.u, planes.v, quality), width, height
        )

    def luma_sample(self) -> LumaSample:
        frame = self.decoded
        if frame.format.name not in LUMA_FIRST:
            frame = frame.reformat(
                *SAMPLE_SIZE,
                format="yuvj420p",
                dst_color_range=ColorRange.JPEG,
                interpolation=Interpolation.POINT,
            )
        luma = sample_points(_pixels(frame.planes[0]))
        return LumaSample(
            luma if _has_full_range(frame) else as_plane(cv2.LUT(luma, FULL_LUMA)), self.key_frame
        )


@dataclass(frozen=True, slots=True)
class UndecodableFrame:
    """A packet that the decoder refused."""

    captured_at: int

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        raise CorruptFrame("the decoder refused this frame")

    def luma_sample(self) -> LumaSample:
        raise CorruptFrame("the decoder refused this frame")


def decoded_frames(
    container: InputContainer, stream: VideoStream
) -> Iterator[DecodedFrame | UndecodableFrame | None]:
    """The frames of a stream as they are decoded, and None for each packet that yields none.
    Raises FFmpeg's errors.
    """
    key_frame = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            yield UndecodableFrame(time.time_ns())
            continue
        if not frames:
            yield None
        for frame in frames:
            assert isinstance(frame, av.VideoFrame)
            now = time.time_ns()
            key_frame = now if frame.key_frame else key_frame
            yield DecodedFrame(now, frame, key_frame)


def prepare(stream: VideoStream) -> None:
    """Make the decoder release each frame as soon as its packet is in: decoder threads would hold
    one back each.
    """
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1


def full_range_planes(frame: av.VideoFrame, size: tuple[int, int] | None = None) -> Planes:
    """The frame as full-range 4:2:0 planes, scaled down to `size` if given."""
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
