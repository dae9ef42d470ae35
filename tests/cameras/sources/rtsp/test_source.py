"""Real RTSP cameras: frames, logins, and what goes wrong in plain words."""

from __future__ import annotations

import itertools
import socket
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
import simplejpeg

from cameras.sources import open_source
from cameras.sources.base import AddressError, SourceError
from sightline.messages import CameraState, Cause
from tests.cameras.sources.opened import failure, settings, take
from tests.servers.login import Login
from tests.servers.mjpeg import MjpegServer
from tests.servers.ports import free_port
from tests.servers.rtsp import RtspServer
from tests.servers.tcp import HangupServer, MuteServer
from tests.servers.tls import TlsFront
from tests.servers.video import scene, scene_video
from tests.servers.waiting import wait_until

LOGIN = Login("admin", "p@ss:/ w%örd#?&" + 60 * "long")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    scene_video(folder / "scene.mp4")
    scene_video(folder / "small.mp4", frames=25, width=320, height=180)
    scene_video(folder / "hevc.mp4", frames=25, codec="libx265")
    return folder


@pytest.fixture(scope="module")
def shared(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """A camera without a login, for tests that do not change it."""
    with RtspServer(videos / "scene.mp4", log=tmp_path_factory.mktemp("rtsp") / "log") as server:
        yield server


@pytest.fixture
def camera(videos: Path, tmp_path: Path) -> Iterator[RtspServer]:
    with RtspServer(videos / "scene.mp4", log=tmp_path / "log") as server:
        yield server


def test_frames_arrive_with_their_contrast(shared: RtspServer) -> None:
    source = open_source(settings("rtsp", shared.url), threading.Event())
    assert not source.paced
    with source:
        frames = list(itertools.islice(source, 30))
    jpeg = frames[-1].jpeg(90, None)
    assert (jpeg.width, jpeg.height) == (640, 360)
    assert source.codec == "h264"
    shown, truth = simplejpeg.decode_jpeg(jpeg.data, "rgb"), scene(0)
    for column in (5, 320, 630):
        assert shown[20, column].tolist() == pytest.approx(truth[20, column].tolist(), abs=6)


def test_wide_frames_are_scaled_down(shared: RtspServer) -> None:
    (frame,) = take(1, settings("rtsp", shared.url))
    jpeg = frame.jpeg(80, 400)
    assert (jpeg.width, jpeg.height) == (400, 224)


def test_frames_come_live_and_not_in_bursts_of_old_ones(shared: RtspServer) -> None:
    stamps = [frame.captured_at for frame in take(40, settings("rtsp", shared.url))]
    assert stamps[-1] - stamps[9] > 0.6 * 30 / 25 * 1e9


def test_udp_works_too(shared: RtspServer) -> None:
    assert len(take(5, settings("rtsp", shared.url, transport="udp"))) == 5


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_tls_works_too(transport: str, shared: RtspServer, tmp_path: Path) -> None:
    with TlsFront(shared.port, tmp_path) as front:
        url = f"rtsps://{front.authority}{shared.mount}"
        assert len(take(30, settings("rtsp", url, transport=transport))) == 30
        assert front.connections == 1


def test_h265_works_too(videos: Path, tmp_path: Path) -> None:
    with RtspServer(videos / "hevc.mp4", log=tmp_path / "log") as camera:
        source = open_source(settings("rtsp", camera.url), threading.Event())
        with source:
            jpeg = next(iter(source)).jpeg(80, None)
    assert (source.codec, jpeg.width) == ("hevc", 640)


def test_the_size_may_change_while_it_runs(videos: Path, tmp_path: Path) -> None:
    with (
        RtspServer(videos / "scene.mp4", videos / "small.mp4", log=tmp_path / "log") as camera,
        open_source(settings("rtsp", camera.url), threading.Event()) as source,
    ):
        widths = [frame.jpeg(80, None).width for frame in itertools.islice(source, 110)]
    assert {640, 320} == set(widths)
    assert len(list(itertools.groupby(widths))) >= 3


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_it_logs_in_with_odd_characters(scheme: str, videos: Path, tmp_path: Path) -> None:
    login = Login(LOGIN.username, LOGIN.password, "basic" if scheme == "basic" else "digest")
    with RtspServer(videos / "scene.mp4", log=tmp_path / "log", login=login) as camera:
        assert take(2, settings("rtsp", camera.url, login.username, login.password))
        wrong = failure(settings("rtsp", camera.url, login.username, "n0t-the-one"))
        none = failure(settings("rtsp", camera.url))
    assert wrong.state is none.state is CameraState.AUTH_FAILED
    assert wrong.detail == "The camera refuses the user name or password."
    assert none.detail == "The camera asks for a user name and password, and none are set."
    assert "n0t-the-one" not in "".join(traceback.format_exception(wrong))


def test_a_wrong_path_is_told(shared: RtspServer) -> None:
    assert "no pictures at this path" in failure(settings("rtsp", shared.url + "x")).detail


def test_a_camera_without_video_is_told(tmp_path: Path) -> None:
    with RtspServer(log=tmp_path / "log") as camera:
        assert "sends no video" in failure(settings("rtsp", camera.url)).detail


def test_a_camera_that_falls_silent_is_stalled_and_comes_back(camera: RtspServer) -> None:
    with open_source(settings("rtsp", camera.url), threading.Event()) as source:
        frames = iter(source)
        for _ in range(10):
            next(frames)
        camera.pause()
        with pytest.raises(SourceError) as caught:
            for _ in frames:
                pass
    assert caught.value.state is CameraState.STALLED
    assert caught.value.detail == "The camera holds the connection open but sends nothing."
    assert failure(settings("rtsp", camera.url)).state is CameraState.STALLED
    camera.resume()

    def is_back() -> bool:
        # The server may still be ending the sessions of before, and refuse the first attempt.
        try:
            return bool(take(2, settings("rtsp", camera.url)))
        except SourceError:
            return False

    wait_until(is_back, 20, "the camera to come back")


def test_a_camera_that_is_unplugged_ends_and_comes_back(camera: RtspServer) -> None:
    with open_source(settings("rtsp", camera.url), threading.Event()) as source:
        frames = iter(source)
        next(frames)
        camera.stop()
        with pytest.raises(SourceError) as caught:
            for _ in frames:
                pass
    assert caught.value.state is CameraState.UNREACHABLE
    assert "refuses connections" in failure(settings("rtsp", camera.url)).detail
    camera.start()
    assert take(2, settings("rtsp", camera.url))


def test_a_camera_that_says_nothing_is_stalled() -> None:
    with MuteServer() as mute:
        assert failure(settings("rtsp", f"rtsp://{mute.authority}/")).state is CameraState.STALLED


def test_a_camera_that_hangs_up_is_unreachable() -> None:
    with HangupServer() as rude:
        assert (
            "closes the connection" in failure(settings("rtsp", f"rtsp://{rude.authority}/")).detail
        )


def test_what_speaks_no_rtsp_is_told() -> None:
    with MjpegServer([b""]) as web:
        assert (
            "does not speak RTSP"
            in failure(settings("rtsp", f"rtsp://127.0.0.1:{web.port}/")).detail
        )
        assert (
            "Try rtsp:// instead"
            in failure(settings("rtsp", f"rtsps://127.0.0.1:{web.port}/")).detail
        )


def test_nobody_there_is_unreachable() -> None:
    port = free_port()
    error = failure(settings("rtsp", f"rtsp://127.0.0.1:{port}/"))
    assert error.state is CameraState.UNREACHABLE
    assert error.cause is Cause.REFUSED
    assert error.detail.startswith(f"127.0.0.1 refuses connections on port {port}.")


def test_an_unknown_name_is_unreachable() -> None:
    assert (
        "The name camera.invalid is not known here"
        in failure(settings("rtsp", "rtsp://camera.invalid/")).detail
    )


def test_a_redirect_is_named_and_not_followed() -> None:
    def redirect(listener: socket.socket, target: str) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(f"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: {target}\r\n\r\n".encode())

    with MuteServer() as other, socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"rtsp://{other.authority}/live"
        threading.Thread(target=redirect, args=(listener, target), daemon=True).start()
        detail = failure(settings("rtsp", f"rtsp://127.0.0.1:{listener.getsockname()[1]}/")).detail
        assert target in detail
        assert other.connections == 0


def test_a_refused_destination_is_not_connected_to() -> None:
    def check(host: str, port: int) -> NoReturn:
        raise AddressError(f"{host}:{port} is not for cameras.")

    with MuteServer() as server:
        wanted = settings("rtsp", f"rtsp://{server.authority}/")
        with (
            pytest.raises(SourceError) as caught,
            open_source(wanted, threading.Event(), check=check),
        ):
            pass
        assert caught.value.detail == f"{server.authority} is not for cameras."
        assert server.connections == 0


def test_it_ends_when_stopped(shared: RtspServer) -> None:
    stop = threading.Event()
    with open_source(settings("rtsp", shared.url), stop) as source:
        frames = iter(source)
        next(frames)
        stop.set()
        assert list(frames) == []
