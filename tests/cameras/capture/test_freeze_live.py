"""Cameras that freeze, go dark and come back, read as the capture worker reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from pytest_django import Settings

from cameras.capture import freeze
from cameras.capture.freeze import BLACK, FROZEN
from cameras.capture.reader import CameraReader, ReaderConfig
from cameras.sources.base import SourceSettings
from sightline.kafka import Producer, topics
from sightline.messages import CameraState, CameraStatus
from sightline.messages.history import CaptureHistory
from tests.servers.mjpeg import MjpegServer
from tests.servers.rtsp import RtspServer
from tests.servers.video import picture_video, scene, scene_video
from tests.servers.waiting import wait_until
from tests.support import reading

Watch = Callable[[str, str], CameraReader]


@pytest.fixture
def watch(embedded: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Starts a camera that is sampled often, so that a freeze is noticed soon."""
    settings.FROZEN_SECONDS = settings.BLACK_SECONDS = 1
    monkeypatch.setattr(freeze, "SAMPLE_SECONDS", 0.2)
    cameras: list[CameraReader] = []

    def start(kind: str, url: str) -> CameraReader:
        camera = CameraReader(
            ReaderConfig("dock", SourceSettings(kind, url, fps=10), 1280, 80, watch_picture=True),
            Producer(),
            "capture-1",
        )
        cameras.append(camera)
        camera.start()
        return camera

    yield start
    for camera in cameras:
        camera.stop()
        assert camera.join(10)


def until(camera: CameraReader, state: CameraState) -> CameraStatus:
    """The camera's status once it is in that state."""
    wait_until(lambda: camera.state.status().state == state, 30, f"the camera to be {state}")
    return camera.state.status()


def test_an_mjpeg_camera_freezes_goes_dark_and_comes_back(watch: Watch) -> None:
    moving = [simplejpeg.encode_jpeg(scene(number), colorspace="RGB") for number in range(0, 60, 2)]
    dark = simplejpeg.encode_jpeg(np.full((360, 640, 3), 6, np.uint8), colorspace="RGB")
    shown: list[bytes] = []

    with MjpegServer(
        lambda number: shown[0] if shown else moving[number % len(moving)], fps=10
    ) as server:
        camera = watch("mjpeg", server.url)
        until(camera, CameraState.LIVE)

        shown.append(moving[0])
        frozen = until(camera, CameraState.FROZEN)
        sent = camera.state.status().frames
        wait_until(lambda: camera.state.status().frames > sent, what="pictures to go on")
        shown[0] = dark
        black = until(camera, CameraState.BLACK)
        shown.clear()
        live = until(camera, CameraState.LIVE)

    assert (frozen.detail, black.detail, live.detail) == (FROZEN, BLACK, "")
    assert frozen.since < time.time_ns() - 1_000_000_000
    with reading(topics.camera_history("dock")) as reader:
        camera.publish_history()
        history = CaptureHistory.from_json(reader.wait(1)[0].value)
    assert history.frames == camera.history._before.frames > 20
    assert history.kafka is not None


def test_an_rtsp_camera_freezes_and_goes_on(watch: Watch, tmp_path: Path) -> None:
    videos = [
        scene_video(tmp_path / "moving.mp4", frames=75),
        picture_video(tmp_path / "still.mp4", scene(74), frames=125),
    ]
    with RtspServer(*videos, log=tmp_path / "rtsp.log") as server:
        camera = watch("rtsp", server.url)

        assert until(camera, CameraState.FROZEN).detail == FROZEN
        until(camera, CameraState.LIVE)
