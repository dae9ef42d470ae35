"""Frames on their way to JPEG: foreign JPEGs are checked, decoded video keeps its contrast and
colours.
"""

from __future__ import annotations

import av
import numpy as np
import pytest
import simplejpeg
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from cameras.sources import jpeg
from cameras.sources.base import CorruptFrame
from cameras.sources.http import JpegFrame
from cameras.sources.planes import scaled_size
from cameras.sources.video import DecodedFrame
from tests.cameras.sources import opened

Image = NDArray[np.uint8]

WHITE, BLACK, RED = (255, 255, 255), (0, 0, 0), (200, 40, 60)


def huge_header() -> bytes:
    """A small JPEG whose header claims 60000 x 60000 pixels."""
    data = bytearray(opened.jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (60000).to_bytes(2, "big") * 2
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xd9",
        b"<html>",
        opened.jpeg()[:-400],
        opened.jpeg()[10:],
        huge_header(),
        b"\xff\xd8" + bytes(9 << 20) + b"\xff\xd9",
    ],
    ids=["empty", "hollow", "html", "cut", "headless", "huge", "heavy"],
)
def test_unusable_jpegs_are_refused_before_they_are_decoded(data: bytes) -> None:
    with pytest.raises(CorruptFrame):
        jpeg.checked(data)


def test_a_narrow_jpeg_passes_untouched() -> None:
    data = opened.jpeg(width=640, height=360)
    got = JpegFrame(1, data).jpeg(50, 640)
    assert got.data is data
    assert (got.width, got.height) == (640, 360)


def test_padding_after_the_end_is_cut_off() -> None:
    data = opened.jpeg()
    assert jpeg.checked(data + b"\0\0\r\n").data == data


def test_a_wide_jpeg_is_scaled_down() -> None:
    got = JpegFrame(1, opened.jpeg(width=1280, height=720)).jpeg(80, 500)
    assert (got.width, got.height) == (500, 282)
    assert simplejpeg.decode_jpeg_header(got.data)[:2] == (282, 500)


def test_a_jpeg_with_damaged_content_is_corrupt_when_it_must_be_decoded() -> None:
    data = opened.jpeg(width=1280, height=720)
    start = data.index(b"\xff\xc4")
    with pytest.raises(CorruptFrame):
        JpegFrame(1, data[:start] + data[start + 60 :]).jpeg(80, 640)


@pytest.mark.parametrize(
    ("size", "cap", "scaled"),
    [
        ((1280, 720), None, (1280, 720)),
        ((1280, 720), 1280, (1280, 720)),
        ((639, 359), 640, (639, 359)),
        ((1280, 720), 641, (640, 360)),
        ((1280, 3), 64, (64, 2)),
        ((720, 1280), 360, (360, 640)),
    ],
)
def test_scaling_keeps_the_aspect_and_even_sides(
    size: tuple[int, int], cap: int | None, scaled: tuple[int, int]
) -> None:
    assert scaled_size(*size, cap) == scaled


def card(width: int = 640, height: int = 360) -> Image:
    image: Image = np.zeros((height, width, 3), np.uint8)
    for third, colour in enumerate((WHITE, BLACK, RED)):
        image[:, third * width // 3 : (third + 1) * width // 3] = colour
    return image


def frame(pixel_format: str, image: Image) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixel_format)


@pytest.mark.parametrize("max_width", [None, 500, 320])
@pytest.mark.parametrize(
    "pixel_format",
    ["yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12", "yuv420p10le", "rgb24"],
)
def test_video_keeps_contrast_and_colour(pixel_format: str, max_width: int | None) -> None:
    got = DecodedFrame(1, frame(pixel_format, card())).jpeg(90, max_width)
    shown = simplejpeg.decode_jpeg(got.data, "rgb")
    assert shown.shape == (got.height, got.width, 3)
    for third, colour in enumerate((WHITE, BLACK, RED)):
        at = (got.height // 2, (2 * third + 1) * got.width // 6)
        assert shown[at].tolist() == pytest.approx(colour, abs=5)


def test_video_marked_as_full_range_is_left_as_it_is() -> None:
    source = frame("yuvj420p", card()).reformat(format="yuv420p", dst_color_range=ColorRange.JPEG)
    shown = simplejpeg.decode_jpeg(DecodedFrame(1, source).jpeg(90, None).data, "gray")
    assert shown[100, 100, 0] >= 252
    assert shown[100, 320, 0] <= 3


def test_video_of_odd_size_is_encoded() -> None:
    odd = np.ascontiguousarray(card()[:359, :639])
    got = DecodedFrame(1, frame("yuv420p", odd)).jpeg(80, None)
    assert (got.width, got.height) == (639, 359)
