"""JPEG files from outside: what is checked before a decoder sees them, and scaling."""

from __future__ import annotations

import simplejpeg

from cameras.sources.base import CorruptFrame, Jpeg
from cameras.sources.planes import Plane, points, scaled_size, shrink

MAX_BYTES = 8 * 1024 * 1024
MAX_PIXELS = 33_000_000
LOOK_WIDTH, LOOK_HEIGHT = 320, 180
START, END = b"\xff\xd8", b"\xff\xd9"


def checked(data: bytes) -> Jpeg:
    """The picture in `data`, judged by its header and its end only. Raises CorruptFrame."""
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


def looked_at(data: bytes) -> Plane:
    """Points of the luma of a JPEG, decoded at the least scale that still shows a sensor's
    noise. Raises CorruptFrame.
    """
    try:
        luma = simplejpeg.decode_jpeg(
            data, "gray", min_width=LOOK_WIDTH, min_height=LOOK_HEIGHT, min_factor=1, strict=False
        )
    except ValueError as err:
        raise CorruptFrame("the picture cannot be decoded") from err
    return points(luma[:, :, 0])


def shrunk(picture: Jpeg, quality: int, max_width: int | None) -> Jpeg:
    """The picture itself when it is narrow enough, else scaled down with its aspect kept. Raises
    CorruptFrame.
    """
    width, height = scaled_size(picture.width, picture.height, max_width)
    if width == picture.width:
        return picture
    try:
        # libjpeg decodes at a fraction of the size for little; the rest of the way is a resize.
        bgr = simplejpeg.decode_jpeg(
            picture.data, "bgr", min_width=width, min_height=height, strict=False
        )
    except ValueError as err:
        raise CorruptFrame("the picture cannot be decoded") from err
    scaled = shrink(bgr, (width, height))
    return Jpeg(simplejpeg.encode_jpeg(scaled, quality, "bgr", "420"), width, height)
