from __future__ import annotations

import asyncio

import pytest
import simplejpeg

from sightline.messages import Frame
from streaming.hub import scaled_frame as scaled_frame
from streaming.hub.scaled_frame import (
    FrameError,
    LiveFrame,
    narrower,
    size_for,
)
from tests.streaming.conftest import noise, picture


def live(jpeg: bytes, width: int = 1280, height: int = 720) -> LiveFrame:
    return LiveFrame(Frame("gate", 1, 1, width, height, jpeg))


@pytest.mark.parametrize(
    ("asked", "given"),
    [(16, 160), (160, 160), (161, 320), (640, 640), (1000, 1280), (1920, 1920), (4000, None)],
)
def test_sizes_come_from_a_ladder(asked: int, given: int | None) -> None:
    assert size_for(asked) == given


@pytest.mark.parametrize(
    ("width", "steps", "given"),
    [(1280, 0, 1280), (1280, 1, 960), (900, 2, 480), (320, 5, 160), (4000, 1, 1920)],
)
def test_a_size_some_steps_below(width: int, steps: int, given: int) -> None:
    assert narrower(width, steps) == given


@pytest.mark.parametrize(
    ("asked", "size"),
    [(160, (160, 90)), (320, (320, 180)), (480, (480, 270)), (640, (640, 360)), (900, (960, 540))],
)
async def test_a_picture_is_scaled_down(asked: int, size: tuple[int, int]) -> None:
    frame = (await live(noise(60_000)).at(asked)).frame
    height, width, _, _ = simplejpeg.decode_jpeg_header(frame.jpeg)
    assert (frame.width, frame.height) == (width, height) == size
    assert (frame.seq, frame.captured_at) == (1, 1)


@pytest.mark.parametrize("asked", [1280, 1920, 5000, None])
async def test_a_picture_that_is_no_wider_is_untouched(asked: int | None) -> None:
    shown = live(picture(1280, 720))
    assert (await shown.at(asked)).frame is shown.frame


async def test_it_is_made_once_for_all_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    scaled = scaled_frame.scaled

    def counted(frame: Frame, width: int) -> Frame:
        made.append(width)
        return scaled(frame, width)

    monkeypatch.setattr(scaled_frame, "scaled", counted)
    shown = live(noise(60_000))
    frames = await asyncio.gather(*[shown.at(width) for width in (600, 640, 500, 640, 300)])
    assert sorted(made) == [320, 640]
    assert frames[0] is frames[1] is frames[2]


async def test_a_viewer_who_leaves_does_not_spoil_it_for_others() -> None:
    shown = live(noise(60_000))
    leaving, staying = asyncio.create_task(shown.at(640)), asyncio.create_task(shown.at(640))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying).frame.width == 640


async def test_a_gray_picture_can_be_scaled() -> None:
    import numpy as np

    jpeg = simplejpeg.encode_jpeg(
        np.zeros((720, 1280, 1), np.uint8), colorspace="GRAY", colorsubsampling="Gray"
    )
    assert (await live(jpeg).at(160)).frame.width == 160


@pytest.mark.parametrize(
    "jpeg", [b"x", b"\xff\xd8\xff", noise(60_000)[:3000], b"\x89PNG\r\n\x1a\n" + bytes(100)]
)
async def test_what_is_no_picture_is_refused(jpeg: bytes) -> None:
    with pytest.raises(FrameError):
        await live(jpeg).at(160)


async def test_too_large_a_picture_is_not_decoded() -> None:
    jpeg = bytearray(picture(64, 64))
    start = jpeg.index(b"\xff\xc0") + 5
    jpeg[start : start + 4] = b"\x75\x30\x75\x30"  # the header claims 30000 x 30000
    with pytest.raises(FrameError, match="too many"):
        await live(bytes(jpeg)).at(160)
