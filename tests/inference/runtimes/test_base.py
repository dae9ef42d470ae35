from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import simplejpeg

from inference.runtimes.base import MAX_JPEG_BYTES, Picture
from inference.runtimes.errors import InferenceError
from sightline.messages import Frame
from tests.inference.pictures import blank, encode, noise, picture

JPEG = encode(noise())
DAMAGED = {
    "empty": b"",
    "text": b"<html>Not found</html>",
    "only the markers": b"\xff\xd8\xff\xd9",
    "header only": JPEG[:400],
    "first half": JPEG[: len(JPEG) // 2],
    "first half, closed": JPEG[: len(JPEG) // 2] + b"\xff\xd9",
    "no end": JPEG[:-2],
    "zeros in a table": JPEG[:200] + bytes(100) + JPEG[300:],
    "too many bytes": JPEG + bytes(MAX_JPEG_BYTES),
}


def test_it_keeps_what_the_frame_says() -> None:
    frame = Frame("dock", 41, 1_700_000_000_000_000_000, 640, 360, JPEG, 7)

    made = Picture(frame)

    assert (made.camera, made.seq, made.captured_at) == (frame.camera, frame.seq, frame.captured_at)
    assert (made.width, made.height, made.jpeg) == (640, 360, JPEG)


def test_its_size_is_that_of_the_jpeg() -> None:
    lying = Frame("dock", 1, 1, 64, 36, JPEG)

    assert (Picture(lying).width, Picture(lying).height) == (640, 360)
    assert Picture(lying).sized(lying.ref) == replace(lying.ref, width=640, height=360)
    assert Picture(replace(lying, jpeg=b"none")).sized(lying.ref) == lying.ref


def test_it_decodes_gray_and_colour() -> None:
    made = picture(JPEG)

    assert made.gray().shape == (360, 640)
    assert made.bgr().shape == (360, 640, 3)
    assert np.abs(made.bgr().astype(int) - noise()).mean() < 8


@pytest.mark.parametrize("width", [1, 100, 160, 200, 320, 321, 500, 639])
def test_it_scales_down_and_keeps_the_aspect(width: int) -> None:
    made = picture(JPEG)

    height = max(1, round(360 * width / 640))
    assert made.gray(width).shape == (height, width)
    assert made.bgr(width).shape == (height, width, 3)


@pytest.mark.parametrize("width", [320, 321, 100])
def test_it_scales_odd_sizes(width: int) -> None:
    made = picture(encode(noise(641, 361)))

    assert made.gray(width).shape == (round(361 * width / 641), width)


def test_it_never_scales_up() -> None:
    made = picture(JPEG)

    assert made.gray(4000).shape == (360, 640)
    assert made.gray(4000) is made.gray()


def test_a_scaled_picture_shows_the_same_as_the_whole() -> None:
    once, again = picture(JPEG), picture(JPEG)
    again.gray()

    assert np.abs(once.gray(320).astype(int) - again.gray(320)).mean() < 2


def test_it_decodes_once_for_each_mode_and_scale() -> None:
    made = picture(JPEG)

    assert made.gray(320) is made.gray(320)
    assert made.bgr() is made.bgr()


def test_models_cannot_change_what_others_see() -> None:
    with pytest.raises(ValueError, match="read-only"):
        picture(JPEG).bgr()[0, 0] = 0


def test_it_shows_a_gray_jpeg_in_colour() -> None:
    jpeg = simplejpeg.encode_jpeg(blank(64, 48)[:, :, :1].copy(), 80, "GRAY", "Gray")

    assert picture(jpeg).bgr().shape == (48, 64, 3)


@pytest.mark.parametrize("width", [None, 100])
@pytest.mark.parametrize("jpeg", DAMAGED.values(), ids=DAMAGED.keys())
def test_it_refuses_a_damaged_picture(jpeg: bytes, width: int | None) -> None:
    with pytest.raises(InferenceError, match=r"^The .*\.$") as caught:
        picture(jpeg).gray(width)

    assert caught.value.permanent


def test_it_refuses_more_than_33_megapixels_before_decoding() -> None:
    bomb = bytearray(encode(blank(16, 16)))
    at = bomb.index(b"\xff\xc0") + 5
    bomb[at : at + 4] = b"\xfe\x00\xfe\x00"

    with pytest.raises(InferenceError, match="33 megapixels"):
        picture(bytes(bomb)).gray()


def test_it_accepts_the_padding_that_cameras_write_before_the_end() -> None:
    assert picture(JPEG[:-2] + bytes(500) + b"\xff\xd9").gray().shape == (360, 640)
    assert picture(JPEG + bytes(500)).gray().shape == (360, 640)
