"""JPEGs from cameras: checked before a decoder sees them, and scaled down."""

from __future__ import annotations

import simplejpeg

from cameras.sources.base import CorruptFrame, Jpeg
from cameras.sources.planes import Plane, sample_points, scaled_size, shrink

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 33_000_000
SAMPLE_WIDTH, SAMPLE_HEIGHT = 320, 180
START, END = b"\xff\xd8", b"\xff\xd9"


def checked(data: bytes) -> Jpeg:
    """The frame in `data`, checked by its header and its end only. Raises CorruptFrame."""
    if len(data) > MAX_BYTES:
        raise CorruptFrame(f"the picture is larger than {MAX_BYTES >> 20} MiB")
    if not data.endswith(END):
        # Some cameras pad what they send.
        data = data.rstrip(b"\0\r\n ")
    if not data.startswith(START) or not data.endswith(END):
        raise CorruptFrame("the picture is not a whole JPEG")
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except ValueError as err:
        raise CorruptFrame("the picture's header cannot be read") from err
    if width * height > MAX_PIXELS:
        raise CorruptFrame(f"the picture is larger than {MAX_PIXELS // 1_000_000} megapixels")
    return Jpeg(data, width, height)


def luma_points(data: bytes) -> Plane:
    """Sample points of a JPEG's luma, decoded at the smallest scale that still shows a sensor's
    noise. Raises CorruptFrame.
    """
    try:
        luma = simplejpeg.decode_jpeg(
            data,
            "gray",
            min_width=SAMPLE_WIDTH,
            min_height=SAMPLE_HEIGHT,
            min_factor=1,
            strict=False,
        )
    except ValueError as err:
        raise CorruptFrame("the picture cannot be decoded") from err
    return sample_points(luma[:, :, 0])


def shrunk(jpeg: Jpeg, quality: int, max_width: int | None) -> Jpeg:
    """The JPEG itself if it is narrow enough, else scaled down with its aspect kept. Raises
    CorruptFrame.
    """
    width, height = scaled_size(jpeg.width, jpeg.height, max_width)
    if width == jpeg.width:
        return jpeg
    try:
        # libjpeg decodes cheaply at a fraction of the size; a resize does the rest.
        bgr = simplejpeg.decode_jpeg(
            jpeg.data, "bgr", min_width=width, min_height=height, strict=False
        )
    except ValueError as err:
        raise CorruptFrame("the picture cannot be decoded") from err
    scaled = shrink(bgr, (width, height))
    return Jpeg(simplejpeg.encode_jpeg(scaled, quality, "bgr", "420"), width, height)
