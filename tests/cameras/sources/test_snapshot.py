"""A snapshot camera is polled over one connection."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cameras.sources import open_source
from cameras.sources.base import CorruptFrame, SourceError
from sightline.messages import CameraState
from tests.cameras.sources.opened import (
    failure,
    jpeg,
    settings,
    take,
)
from tests.servers.login import Login
from tests.servers.mjpeg import MjpegServer
from tests.servers.ports import free_port

PICTURES = [jpeg(shade) for shade in (60, 120, 180, 240)]


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    with MjpegServer(PICTURES) as server:
        yield server


def test_frames_are_passed_through_in_the_order_asked_for(camera: MjpegServer) -> None:
    got = [
        frame.jpeg(80, None).data
        for frame in take(8, settings("snapshot", camera.snapshot_url, fps=100))
    ]
    assert got == PICTURES * 2


def test_it_is_paced_at_the_rate_asked_for(camera: MjpegServer) -> None:
    frames = take(6, settings("snapshot", camera.snapshot_url, fps=20))
    assert frames[-1].captured_at - frames[0].captured_at > 0.2e9
    assert camera.frames_sent == 6


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_it_logs_in_the_way_the_camera_asks_for(scheme: str) -> None:
    login = Login("admin", "p@ss:/ w%örd", "basic" if scheme == "basic" else "digest")
    with MjpegServer(PICTURES, login=login) as camera:
        assert (
            len(
                take(
                    5,
                    settings(
                        "snapshot", camera.snapshot_url, login.username, login.password, fps=100
                    ),
                )
            )
            == 5
        )
        wrong = failure(settings("snapshot", camera.snapshot_url, login.username, "wrong"))
    assert wrong.state is CameraState.AUTH_FAILED


def test_an_empty_frame_is_corrupt(camera: MjpegServer) -> None:
    camera.faults.zero_frames = True
    (frame,) = take(1, settings("snapshot", camera.snapshot_url))
    with pytest.raises(CorruptFrame):
        frame.jpeg(80, None)


def test_a_web_page_is_no_frame(camera: MjpegServer) -> None:
    camera.faults.html = True
    assert (
        "answers with a web page, not a picture"
        in failure(settings("snapshot", camera.snapshot_url)).detail
    )


def test_a_stream_is_no_frame(camera: MjpegServer) -> None:
    assert "Choose the kind 'MJPEG'" in failure(settings("snapshot", camera.url)).detail


def test_a_redirect_is_not_followed(camera: MjpegServer) -> None:
    with MjpegServer(PICTURES) as other:
        camera.faults.redirect = other.snapshot_url
        assert str(other.port) in failure(settings("snapshot", camera.snapshot_url)).detail
        assert other.connections == 0


def test_a_camera_that_falls_silent_is_stalled(camera: MjpegServer) -> None:
    with open_source(
        settings("snapshot", camera.snapshot_url, fps=50), threading.Event()
    ) as source:
        frames = iter(source)
        next(frames)
        camera.faults.silent = True
        with pytest.raises(SourceError) as caught:
            for _ in frames:
                pass
    assert caught.value.state is CameraState.STALLED


def test_nobody_there_is_unreachable() -> None:
    assert (
        "refuses connections"
        in failure(settings("snapshot", f"http://127.0.0.1:{free_port()}/")).detail
    )


def test_it_ends_at_once_when_stopped(camera: MjpegServer) -> None:
    stop = threading.Event()
    with open_source(settings("snapshot", camera.snapshot_url, fps=0.01), stop) as source:
        frames = iter(source)
        next(frames)
        threading.Timer(0.05, stop.set).start()
        assert list(frames) == []
