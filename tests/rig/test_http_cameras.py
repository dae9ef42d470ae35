"""The MJPEG camera of the tests and its faults, and the two things that are no cameras."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import requests
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

from tests.servers.login import Login
from tests.servers.mjpeg import MjpegServer
from tests.servers.tcp import HangupServer, MuteServer
from tests.servers.waiting import wait_until

PICTURES = [b"\xff\xd8 picture %d \xff\xd9" % n for n in range(3)]


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    with MjpegServer(PICTURES, fps=200) as server:
        yield server


def read(url: str, until: bytes) -> bytes:
    """What the stream sends, up to `until`."""
    got = bytearray()
    with requests.get(url, stream=True, timeout=2) as response:
        for chunk in response.iter_content(1):
            got += chunk
            if until in got:
                break
    return bytes(got)


def test_it_streams_its_pictures_again_and_again(camera: MjpegServer) -> None:
    got = read(camera.url, until=b"picture 2")
    assert got.startswith(
        b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 15\r\n\r\n"
        + PICTURES[0]
        + b"\r\n--frame"
    )
    assert camera.connections == 1
    assert camera.frames_sent >= 3


def test_parts_may_come_without_a_length() -> None:
    with MjpegServer(lambda number: b"picture %d" % number, part_length=False, fps=200) as camera:
        assert b"Content-Length" not in read(camera.url, until=b"picture 4")


def test_it_forgets_viewers_that_left(camera: MjpegServer) -> None:
    read(camera.url, until=b"picture 0")
    wait_until(lambda: camera.viewers == 0, 5)


@pytest.mark.parametrize(("login", "right", "wrong"), [
    (Login("admin", "pass", "basic"), HTTPBasicAuth("admin", "pass"), HTTPBasicAuth("admin", "no")),
    (Login("admin", "pass"), HTTPDigestAuth("admin", "pass"), HTTPDigestAuth("admin", "no")),
])  # fmt: skip
def test_it_wants_the_login(login: Login, right: AuthBase, wrong: AuthBase) -> None:
    with MjpegServer(PICTURES, login=login) as camera:
        assert requests.get(camera.snapshot_url, auth=right, timeout=2).content == PICTURES[0]
        assert requests.get(camera.snapshot_url, auth=wrong, timeout=2).status_code == 401
        refused = requests.get(camera.url, timeout=2)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].lower().startswith(login.scheme)


def test_it_goes_silent_and_comes_back(camera: MjpegServer) -> None:
    with requests.get(camera.url, stream=True, timeout=0.3) as response:
        chunks = response.iter_content(1)
        next(chunks)
        camera.faults.silent = True
        with pytest.raises(requests.ConnectionError, match="timed out"):
            for _ in chunks:
                pass
    with pytest.raises(requests.ReadTimeout):
        requests.get(camera.snapshot_url, timeout=0.2)
    camera.faults.silent = False
    assert requests.get(camera.snapshot_url, timeout=2).ok


def test_every_nth_picture_is_cut_short(camera: MjpegServer) -> None:
    camera.faults.corrupt_every = 2
    parts = read(camera.url, until=b"picture 2").split(b"--frame")[1:]
    assert [part.endswith(b"\xff\xd9\r\n") for part in parts[:2]] == [True, False]


def test_it_answers_otherwise_than_a_camera(camera: MjpegServer) -> None:
    camera.faults.html = True
    assert requests.get(camera.url, timeout=2).headers["Content-Type"].startswith("text/html")
    camera.faults.redirect = "http://elsewhere.invalid/"
    moved = requests.get(camera.url, timeout=2, allow_redirects=False)
    assert (moved.status_code, moved.headers["Location"]) == (302, "http://elsewhere.invalid/")
    camera.faults.status = 503
    assert requests.get(camera.url, timeout=2).status_code == 503


def test_it_may_have_no_frames(camera: MjpegServer) -> None:
    camera.faults.zero_frames = True
    assert requests.get(camera.url, timeout=2).content == b""
    assert requests.get(camera.snapshot_url, timeout=2).content == b""


def test_it_is_unplugged_and_plugged_in_again(camera: MjpegServer) -> None:
    with requests.get(camera.url, stream=True, timeout=2) as response:
        camera.refuse()
        assert b"".join(response.iter_content(1)) is not None  # the stream ends
    with pytest.raises(requests.ConnectionError):
        requests.get(camera.snapshot_url, timeout=2)
    camera.accept()
    assert requests.get(camera.snapshot_url, timeout=2).ok


def test_a_mute_server_accepts_and_says_nothing() -> None:
    with MuteServer() as server, socket.create_connection(("127.0.0.1", server.port), 2) as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert server.connections == 1


def test_a_hangup_server_closes_at_once() -> None:
    with (
        HangupServer() as server,
        socket.create_connection(("127.0.0.1", server.port), 2) as client,
    ):
        assert client.recv(1) == b""
