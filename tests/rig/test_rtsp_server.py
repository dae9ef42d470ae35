"""The RTSP camera of the tests behaves as a camera: endless, guarded, unplugged, silent."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest

from tests.servers.login import Login
from tests.servers.rtsp import RtspServer
from tests.servers.video import FACE_BOX, FACE_SIZE, Rgb, face_picture, face_video, scene_video

LOGIN = Login("admin", "p@ss:/ w%örd")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scene_video(tmp_path_factory.mktemp("video") / "scene.mp4", frames=20)


@pytest.fixture(scope="module")
def camera(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    with RtspServer(video, log=tmp_path_factory.mktemp("rtsp") / "rtsp.log") as server:
        yield server


def frames(url: str, count: int) -> list[av.VideoFrame]:
    with av.open(
        url, options={"rtsp_transport": "tcp", "analyzeduration": "200000"}, timeout=(5, 5)
    ) as container:
        return list(itertools.islice(container.decode(video=0), count))


def test_it_plays_on_over_the_seams(camera: RtspServer) -> None:
    got = frames(camera.url, 70)  # three rounds of the loop
    stamps = [frame.pts for frame in got[1:]]  # ffmpeg knows none for the first
    assert not any(frame.is_corrupt for frame in got)
    assert {after - before for before, after in itertools.pairwise(cast("list[int]", stamps))} == {
        3600
    }


def test_two_viewers_watch_the_same_camera(camera: RtspServer) -> None:
    with av.open(camera.url, options={"rtsp_transport": "tcp"}, timeout=(5, 5)) as first:
        next(first.decode(video=0))
        assert len(frames(camera.url, 5)) == 5


@pytest.mark.parametrize("scheme", ["digest", "basic"])
def test_it_wants_the_login(scheme: str, video: Path, tmp_path: Path) -> None:
    login = Login(LOGIN.username, LOGIN.password, "basic" if scheme == "basic" else "digest")
    with RtspServer(video, log=tmp_path / "log", login=login) as camera:
        assert frames(camera.url_with_login, 1)
        for refused in (camera.url, camera.url.replace("//", "//admin:wrong@")):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                frames(refused, 1)


def test_it_comes_back_on_its_port(video: Path, tmp_path: Path) -> None:
    camera = RtspServer(video, log=tmp_path / "log").start()
    camera.stop()
    with pytest.raises(av.error.ConnectionRefusedError):
        frames(camera.url, 1)
    with camera:
        assert frames(camera.url, 1)


def test_it_goes_silent_with_the_connection_open(camera: RtspServer) -> None:
    camera.pause()
    try:
        with socket.create_connection(("127.0.0.1", camera.port), 2) as client:
            client.settimeout(0.3)
            client.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            with pytest.raises(TimeoutError):
                client.recv(1)
            camera.resume()
            client.settimeout(5)
            assert client.recv(100).startswith(b"RTSP/1.0 ")
    finally:
        camera.resume()


def test_it_can_change_its_size_and_play_h265(tmp_path: Path) -> None:
    small = scene_video(tmp_path / "small.mp4", frames=10, codec="libx265")
    large = scene_video(tmp_path / "large.mp4", frames=10, width=1280, height=720, codec="libx265")
    with RtspServer(small, large, log=tmp_path / "log") as camera:
        assert {frame.width for frame in frames(camera.url, 25)} == {640, 1280}


def test_without_a_video_it_sends_sound_only(tmp_path: Path) -> None:
    with (
        RtspServer(log=tmp_path / "log") as camera,
        av.open(camera.url, timeout=(5, 5)) as container,
    ):
        assert not container.streams.video
        assert container.streams.audio


def test_the_face_is_where_it_is_said_to_be(tmp_path: Path) -> None:
    with RtspServer(face_video(tmp_path / "face.mp4"), log=tmp_path / "log") as camera:
        received = face_of(cast("Rgb", frames(camera.url, 1)[0].to_ndarray(format="rgb24")))
    sent = face_of(face_picture())
    assert sent.shape == received.shape == (113, 98, 3)
    assert np.abs(sent.astype(int) - received).mean() < 8
    assert sent[..., 0].mean() > 1.2 * sent[..., 2].mean()  # skin, not the grey around


def face_of(picture: Rgb) -> Rgb:
    x0, y0, x1, y1 = (
        round(edge * size) for edge, size in zip(FACE_BOX, FACE_SIZE * 2, strict=True)
    )
    return picture[y0:y1, x0:x1]
