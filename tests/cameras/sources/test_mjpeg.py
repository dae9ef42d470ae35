"""An HTTP camera's MJPEG stream arrives as it was sent; what goes wrong is told in plain words."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from typing import NoReturn

import pytest

from cameras.sources import open_source
from cameras.sources.base import AddressError, CorruptFrame, SourceError
from cameras.sources.mjpeg import parts
from sightline.messages import CameraState, Cause
from tests.cameras.sources.opened import (
    failure,
    jpeg,
    settings,
    take,
)
from tests.servers.login import Login
from tests.servers.mjpeg import MjpegServer
from tests.servers.ports import free_port
from tests.servers.tcp import HangupServer, MuteServer
from tests.servers.waiting import wait_until

PICTURES = [jpeg(shade) for shade in (60, 120, 180, 240)]
LOGIN = Login("admin", "p@ss:/ w%örd")


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    with MjpegServer(PICTURES, fps=50) as server:
        yield server


@pytest.mark.parametrize("part_length", [True, False])
def test_frames_are_passed_through_undecoded(part_length: bool) -> None:
    with MjpegServer(PICTURES, fps=50, part_length=part_length) as camera:
        got = [frame.jpeg(80, 1280).data for frame in take(8, settings("mjpeg", camera.url))]
    assert got == PICTURES * 2


def test_each_frame_comes_when_it_is_sent_and_not_with_the_next(camera: MjpegServer) -> None:
    camera.fps = 0.2
    assert len(take(1, settings("mjpeg", camera.url))) == 1


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_it_logs_in_the_way_the_camera_asks_for(scheme: str) -> None:
    login = Login(LOGIN.username, LOGIN.password, "basic" if scheme == "basic" else "digest")
    with MjpegServer(PICTURES, login=login) as camera:
        assert take(2, settings("mjpeg", camera.url, login.username, login.password))
        wrong = failure(settings("mjpeg", camera.url, login.username, "wrong"))
        none = failure(settings("mjpeg", camera.url))
    assert wrong.state is none.state is CameraState.AUTH_FAILED
    assert wrong.detail == "The camera refuses the user name or password."
    assert none.detail == "The camera asks for a user name and password, and none are set."


@pytest.mark.parametrize(
    "challenge",
    [
        "Digest",
        "Digest ",
        "Digest x",
        'Digest realm="a", opaque=, Negotiate',
        'Digest realm="a", nonce="b", algorithm=NEW',
    ],
)
def test_a_camera_that_asks_in_an_unknown_way_is_told(challenge: str) -> None:
    with MjpegServer(PICTURES, login=LOGIN) as camera:
        camera.gate.challenge = lambda: challenge  # type: ignore[method-assign]
        error = failure(settings("mjpeg", camera.url, LOGIN.username, LOGIN.password))
    assert error.state in (CameraState.AUTH_FAILED, CameraState.UNREACHABLE)


def test_a_name_that_http_cannot_carry_is_an_error_and_no_crash() -> None:
    with MjpegServer(PICTURES, login=LOGIN) as camera:
        assert failure(settings("mjpeg", camera.url, "用户", "x")).state in (
            CameraState.AUTH_FAILED,
            CameraState.UNREACHABLE,
        )


def test_a_web_page_is_no_video(camera: MjpegServer) -> None:
    camera.faults.html = True
    assert "answers with a web page, not a video" in failure(settings("mjpeg", camera.url)).detail


def test_a_single_frame_is_no_video(camera: MjpegServer) -> None:
    assert "Choose the kind 'snapshot'" in failure(settings("mjpeg", camera.snapshot_url)).detail


@pytest.mark.parametrize(
    ("status", "state", "cause", "words"),
    [
        (403, CameraState.AUTH_FAILED, Cause.FORBIDDEN, "does not let this user"),
        (404, CameraState.UNREACHABLE, Cause.NOT_FOUND, "nothing|no pictures at this path"),
        (503, CameraState.UNREACHABLE, Cause.ERROR_ANSWER, "error 503"),
    ],
)
def test_an_error_status_is_told(
    camera: MjpegServer, status: int, state: CameraState, cause: Cause, words: str
) -> None:
    camera.faults.status = status
    error = failure(settings("mjpeg", camera.url))
    assert error.state is state
    assert error.cause is cause
    with pytest.raises(SourceError, match=words):
        raise error


def test_a_redirect_is_named_and_not_followed(camera: MjpegServer) -> None:
    with MjpegServer(PICTURES) as other:
        camera.faults.redirect = other.url.replace("//", "//op:secret@")
        detail = failure(settings("mjpeg", camera.url)).detail
        assert f"127.0.0.1:{other.port}/stream.mjpg" in detail
        assert "secret" not in detail
        assert other.connections == 0


def test_a_camera_that_falls_silent_is_stalled(camera: MjpegServer) -> None:
    with open_source(settings("mjpeg", camera.url), threading.Event()) as source:
        frames = iter(source)
        next(frames)
        camera.faults.silent = True
        with pytest.raises(SourceError) as caught:
            for _ in frames:
                pass
    assert caught.value.state is CameraState.STALLED
    assert caught.value.detail == "The camera holds the connection open but sends nothing."


def test_a_camera_that_trickles_is_stalled() -> None:
    stop = threading.Event()

    def trickle(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;"
                b" boundary=f\r\n\r\n--f\r\nContent-Length: 9999\r\n\r\n"
            )
            while not stop.wait(0.1):
                client.sendall(b"\xff")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle, args=(listener,))
        thread.start()
        error = failure(settings("mjpeg", f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        stop.set()
        thread.join(5)
    assert error.state is CameraState.STALLED


def test_a_camera_that_says_nothing_is_stalled() -> None:
    with MuteServer() as mute:
        assert failure(settings("mjpeg", f"http://{mute.authority}/")).state is CameraState.STALLED


def test_a_camera_that_hangs_up_is_unreachable() -> None:
    with HangupServer() as rude:
        assert (
            "closes the connection"
            in failure(settings("mjpeg", f"http://{rude.authority}/")).detail
        )


def test_nobody_there_is_unreachable() -> None:
    port = free_port()
    error = failure(settings("mjpeg", f"http://127.0.0.1:{port}/"))
    assert error.state is CameraState.UNREACHABLE
    assert error.detail.startswith(f"127.0.0.1 refuses connections on port {port}.")


def test_an_unknown_name_is_unreachable() -> None:
    assert (
        "The name camera.invalid is not known here"
        in failure(settings("mjpeg", "http://camera.invalid/")).detail
    )


def test_a_stream_without_a_frame_says_so(camera: MjpegServer) -> None:
    camera.faults.zero_frames = True
    assert (
        "ends the stream without a single picture" in failure(settings("mjpeg", camera.url)).detail
    )


def test_a_camera_that_is_unplugged_ends_the_stream(camera: MjpegServer) -> None:
    with open_source(settings("mjpeg", camera.url), threading.Event()) as source:
        frames = iter(source)
        next(frames)
        camera.stop()
        with pytest.raises(SourceError) as caught:
            for _ in frames:
                pass
    assert caught.value.state is CameraState.UNREACHABLE


def test_a_cut_frame_is_corrupt_and_the_next_is_fine(camera: MjpegServer) -> None:
    camera.faults.corrupt_every = 2
    first, second, third = take(3, settings("mjpeg", camera.url))
    assert first.jpeg(80, None)
    with pytest.raises(CorruptFrame):
        second.jpeg(80, None)
    assert third.jpeg(80, None).data == PICTURES[2]


def test_a_refused_destination_is_not_connected_to(camera: MjpegServer) -> None:
    def check(host: str, port: int) -> NoReturn:
        raise AddressError(f"{host}:{port} is not for cameras.")

    with (
        pytest.raises(SourceError) as caught,
        open_source(settings("mjpeg", camera.url), threading.Event(), check=check),
    ):
        pass
    assert caught.value.detail == f"127.0.0.1:{camera.port} is not for cameras."
    assert camera.connections == 0


def test_proxies_of_the_environment_are_not_used(
    camera: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert take(1, settings("mjpeg", camera.url))


def test_leaving_closes_the_connection(camera: MjpegServer) -> None:
    take(2, settings("mjpeg", camera.url))
    wait_until(lambda: camera.viewers == 0, what="the viewer to leave")


def test_it_ends_when_stopped(camera: MjpegServer) -> None:
    stop = threading.Event()
    with open_source(settings("mjpeg", camera.url), stop) as source:
        frames = iter(source)
        next(frames)
        stop.set()
        assert len(list(frames)) <= 1


HEAD = b"Content-Type: image/jpeg\r\n"


@pytest.mark.parametrize(
    "stream",
    [
        b"--f\r\n" + HEAD + b"\r\none\r\n--f\r\n" + HEAD + b"\r\ntwo\r\n--f--\r\n",
        b"--f\r\n"
        + HEAD
        + b"Content-Length: 3\r\n\r\none\r\n--f\r\n"
        + HEAD
        + b"content-length: 3\r\n\r\ntwo\r\n--f--",
        b"preamble\r\n\r\n--f\n" + HEAD + b"\none\n--f\n" + HEAD + b"\ntwo\n--f--\n",
        b"--f\r\n"
        + HEAD
        + b"Content-Length: 3\r\n\r\none--f\r\n"
        + HEAD
        + b"Content-Length: 3\r\n\r\ntwo--f\r\n",
        b"--f\r\n"
        + HEAD
        + b"Content-Length: x\r\n\r\none\r\n--f\r\n"
        + HEAD
        + b"Content-Length: -1\r\n\r\ntwo\r\n--f--\r\n",
    ],
    ids=["boundary", "length", "bare newlines", "no newlines", "wrong length"],
)
def test_streams_are_read_in_all_the_ways_cameras_write_them(stream: bytes) -> None:
    assert list(parts(io.BytesIO(stream))) == [b"one", b"two"]


@pytest.mark.parametrize(
    "stream",
    [b"", b"no boundary at all", b"--f\r\n" + HEAD, b"--f\r\n" + HEAD + b"\r\nhalf a pict"],
)
def test_a_stream_that_breaks_off_gives_no_half_frame(stream: bytes) -> None:
    assert list(parts(io.BytesIO(stream))) == []


@pytest.mark.parametrize("head", [b"Content-Length: 999999999\r\n", b""])
def test_a_frame_without_end_is_not_collected(head: bytes) -> None:
    with pytest.raises(SourceError, match="larger than 8 MiB"):
        list(parts(io.BytesIO(b"--f\r\n" + head + b"\r\n" + bytes(10 << 20))))
