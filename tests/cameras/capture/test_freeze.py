"""What counts as frozen or black, on real JPEGs and on real H.264."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from cameras.capture.freeze import (
    FLAT,
    FROZEN,
    Fault,
    FreezeDetector,
)
from cameras.sources.base import CorruptFrame, LumaSample
from cameras.sources.demo.scene import Conveyor
from cameras.sources.demo.source import DemoFrame
from cameras.sources.http import JpegFrame
from cameras.sources.planes import sample_points
from cameras.sources.video import DecodedFrame, decoded_frames
from sightline.messages import CameraState
from tests.servers.video import face_picture, write_video

Image = NDArray[np.uint8]

SECOND = 1_000_000_000
RANDOM = np.random.default_rng(1)
HALL: Image = cv2.resize(face_picture(), (640, 360), interpolation=cv2.INTER_AREA).astype(np.uint8)


def noisy(image: Image, sigma: float = 1.0) -> Image:
    """The image as a sensor sees it: each pixel a little off."""
    return np.clip(image + RANDOM.normal(0, sigma, image.shape[:2])[:, :, None], 0, 255).astype(
        np.uint8
    )


def clocked(second: int) -> Image:
    return cv2.putText(
        HALL.copy(),
        f"12:00:{second:02d}",
        (12, 24),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.5,
        (255, 255, 255),
        1,
    ).astype(np.uint8)


def jpeg_sample(image: Image, second: int, quality: int = 80) -> LumaSample:
    return JpegFrame(
        second * SECOND,
        simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality, "rgb", "420"),
    ).luma_sample()


def faults_of(
    samples: Iterable[LumaSample], *, every: float = 1.0, frozen: float = 10, black: float = 5
) -> list[Fault | None]:
    """What the detector reports after each sample."""
    detector = FreezeDetector(frozen, black)
    return [detector.update(sample, 100 + number * every) for number, sample in enumerate(samples)]


def states(faults: list[Fault | None]) -> list[str]:
    return [str(fault.state) if fault else "" for fault in faults]


def test_the_same_jpeg_is_frozen_after_ten_seconds_and_heals_at_once() -> None:
    still = jpeg_sample(HALL, 0)
    samples = [LumaSample(still.luma, second) for second in range(13)] + [
        jpeg_sample(HALL[:, ::-1], 13)
    ]

    assert states(faults_of(samples)) == [""] * 10 + ["frozen"] * 3 + [""]


def test_a_clock_in_the_frame_does_not_hide_that_it_is_frozen() -> None:
    faults = faults_of([jpeg_sample(clocked(second), second) for second in range(12)])

    assert faults[-1] is not None
    assert (faults[-1].state, faults[-1].detail) == (CameraState.FROZEN, FROZEN)


@pytest.mark.parametrize(("sigma", "quality"), [(0.5, 80), (1.0, 50), (2.0, 30)])
def test_a_scene_where_nothing_moves_is_not_frozen(sigma: float, quality: int) -> None:
    samples = [jpeg_sample(noisy(HALL, sigma), second, quality) for second in range(20)]

    assert not any(faults_of(samples))


def test_a_flat_colour_is_said_to_be_no_signal() -> None:
    blue = np.full((360, 640, 3), (30, 60, 180), np.uint8)
    faults = faults_of([jpeg_sample(blue, second) for second in range(12)])

    assert faults[-1] is not None
    assert (faults[-1].state, faults[-1].detail) == (CameraState.FROZEN, FLAT)


def test_darkness_with_noise_is_black_until_something_shows() -> None:
    capped = np.full_like(HALL, 8)
    lit = capped.copy()
    lit[:, :64] = 120
    samples = [jpeg_sample(noisy(capped, 3), second) for second in range(8)]

    assert states(faults_of([*samples, jpeg_sample(lit, 8)])) == [""] * 5 + ["black"] * 3 + [""]


def test_a_night_with_a_lamp_is_not_black() -> None:
    night = np.full_like(HALL, 8)
    night[:90, :90] = 200

    assert not any(faults_of([jpeg_sample(noisy(night), second) for second in range(10)]))


def test_what_comes_and_goes_at_the_edge_does_not_flicker() -> None:
    edge = np.zeros((45, 80), np.uint8)
    edge[:, :2] = 200  # 2.5 of 100 points: too bright to become black, too dark to heal
    dark = np.zeros_like(edge)
    shown = [dark] * 6 + [edge, dark] * 4

    assert (
        states(faults_of([LumaSample(item, second) for second, item in enumerate(shown)]))
        == [""] * 5 + ["black"] * 9
    )


def test_few_frames_say_nothing_however_long_they_take() -> None:
    samples = [LumaSample(jpeg_sample(HALL, 0).luma, second) for second in range(6)]

    assert states(faults_of(samples, every=10.0)) == [""] * 4 + ["frozen"] * 2


def test_it_counts_from_the_first_of_the_same_frames() -> None:
    samples = [LumaSample(jpeg_sample(HALL, 0).luma, second) for second in range(14)]
    faults = faults_of(samples)

    assert faults[10] is not None
    assert faults[10] == faults[13]


def film(path: Path, images: Iterable[Image], *, key_frames: int) -> list[DecodedFrame]:
    """The frames that the decoder gives, one a second."""
    with av.open(str(path), "w") as container:
        options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "g": str(key_frames),
            "qp": "32",
            "bf": "0",
            "sc_threshold": "0",
        }
        stream = container.add_stream("libx264", rate=1, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return [
            frame
            for frame in decoded_frames(container, container.streams.video[0])
            if isinstance(frame, DecodedFrame)
        ]


def test_noise_that_the_encoder_leaves_out_between_key_frames_is_no_freeze(tmp_path: Path) -> None:
    frames = film(tmp_path / "still.mp4", (noisy(HALL) for _ in range(40)), key_frames=20)

    assert not any(faults_of(frame.luma_sample() for frame in frames))


def test_a_frozen_frame_is_found_in_video_once_the_encoder_has_come_to_rest(
    tmp_path: Path,
) -> None:
    frames = film(tmp_path / "frozen.mp4", (HALL for _ in range(40)), key_frames=4)

    assert states(faults_of(frame.luma_sample() for frame in frames))[-1] == "frozen"


def test_black_video_is_black_in_limited_range_too(tmp_path: Path) -> None:
    path = write_video(tmp_path / "black.mp4", (np.zeros_like(HALL) for _ in range(7)))
    with av.open(str(path)) as container:
        samples = [
            frame.luma_sample()
            for frame in decoded_frames(container, container.streams.video[0])
            if isinstance(frame, DecodedFrame)
        ]

    assert samples[0].luma.max() == 0
    assert states(faults_of(samples))[-1] == "black"


@pytest.mark.parametrize("form", ["yuv420p10le", "rgb24", "yuyv422", "nv12", "gray", "yuvj422p"])
def test_every_form_of_video_shows_its_luma(form: str) -> None:
    frame = av.VideoFrame.from_ndarray(HALL, format="rgb24").reformat(format=form)
    wanted = sample_points(cv2.cvtColor(HALL, cv2.COLOR_RGB2GRAY).astype(np.uint8))
    got = DecodedFrame(1, frame).luma_sample().luma

    assert got.shape == wanted.shape
    assert abs(got.mean() - wanted.mean()) < 6


def test_the_demo_scene_is_neither() -> None:
    scene = Conveyor(640, 360)

    assert not any(
        faults_of(
            DemoFrame(scene, second * 10, second * SECOND).luma_sample() for second in range(15)
        )
    )


def test_a_broken_jpeg_cannot_be_looked_at() -> None:
    with pytest.raises(CorruptFrame):
        JpegFrame(1, b"\xff\xd8picture\xff\xd9").luma_sample()
