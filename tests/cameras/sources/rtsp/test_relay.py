"""An RTSP camera leads nowhere but to itself, whatever it says and when."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from cameras.models import check_address
from cameras.sources import open_source
from cameras.sources.addresses import parse_address
from cameras.sources.base import SourceError
from cameras.sources.destination import resolve
from cameras.sources.rtsp.relay import Relay
from tests.cameras.sources.opened import failure, settings
from tests.servers.resolver import Rebinding
from tests.servers.rtsp_script import Asked, Script, ScriptedCamera
from tests.servers.tcp import MuteServer

TRANSPORTS = ("tcp", "udp")


@pytest.fixture
def elsewhere() -> Iterator[MuteServer]:
    with MuteServer() as server:
        yield server
        assert server.connections == 0


def refused(camera: ScriptedCamera, transport: str = "tcp") -> str:
    return failure(settings("rtsp", camera.url, transport=transport)).detail


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("status", [301, 302, 303, 305, 307])
@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_redirect_at_any_request_is_named_and_not_followed(
    method: str, status: int, transport: str, elsewhere: MuteServer
) -> None:
    def answers(asked: Asked) -> str | None:
        if asked.method == method:
            return f"{status} Moved\r\nLocation: rtsp://{elsewhere.authority}/other\r\n"
        return None

    script = Script(answers)
    if transport == "udp":
        script.transport = "RTP/AVP;unicast;server_port=9000-9001"
    with ScriptedCamera(script) as camera:
        detail = refused(camera, transport)
        assert camera.connections == 1
    assert f"sends us on to rtsp://{elsewhere.authority}/other" in detail
    assert "enter it as the camera's address" in detail


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_redirect_at_the_nth_request_only(number: int, elsewhere: MuteServer) -> None:
    def answers(asked: Asked) -> str | None:
        moved = f"302 Moved\r\nLocation: rtsp://{elsewhere.authority}/\r\n"
        return moved if asked.number == number else None

    with ScriptedCamera(Script(answers)) as camera:
        assert "sends us on to" in refused(camera)


def test_a_redirect_after_the_login(elsewhere: MuteServer) -> None:
    def answers(asked: Asked) -> str | None:
        if "Authorization" not in asked.head:
            return '401 No\r\nWWW-Authenticate: Basic realm="x"\r\n'
        return f"302 Moved\r\nLocation: rtsp://{elsewhere.authority}/\r\n"

    with ScriptedCamera(Script(answers)) as camera:
        assert "sends us on to" in failure(settings("rtsp", camera.url, "u", "p")).detail


def test_a_camera_that_asks_us_to_go_while_it_plays(elsewhere: MuteServer) -> None:
    script = Script()
    script.after_play = (
        f"REDIRECT * RTSP/1.0\r\nCSeq: 9\r\nLocation: rtsp://{elsewhere.authority}/b\r\n\r\n"
    )
    with ScriptedCamera(script) as camera:
        assert f"sends us on to rtsp://{elsewhere.authority}/b" in refused(camera)


def test_a_description_that_names_another_host_leads_back_to_the_camera(
    elsewhere: MuteServer,
) -> None:
    script = Script(control=f"rtsp://{elsewhere.authority}/track1", host="10.99.99.99")
    script.base = f"rtsp://{elsewhere.authority}/live/"
    with ScriptedCamera(script) as camera:
        refused(camera)
        assert camera.connections == 1
    assert [asked.method for asked in script.asked[:4]] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]


def test_reports_over_udp_go_to_the_camera_only() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.9", 0))
        other.setblocking(False)
        port = other.getsockname()[1]
        script = Script()
        script.transport = f"RTP/AVP;unicast;source=127.0.0.9;server_port={port}-{port}"
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as camera_port,
            ScriptedCamera(script) as camera,
        ):
            camera_port.bind(("127.0.0.1", port))
            camera_port.settimeout(5)
            refused(camera, "udp")
            assert camera_port.recv(2048)
        with pytest.raises(BlockingIOError):
            other.recv(2048)


def test_a_name_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rebinding = Rebinding("cam.example", "127.0.0.1", "127.0.0.9")
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with ScriptedCamera() as camera, socket.create_server(("127.0.0.9", camera.port)) as trap:
        trap.setblocking(False)
        url = camera.url.replace("127.0.0.1", "cam.example")
        named = settings("rtsp", url)
        with (
            contextlib.suppress(SourceError),
            open_source(named, threading.Event(), check=check_address) as source,
        ):
            next(iter(source))
        assert camera.script.asked[0].url == url
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert rebinding.asked == 1


def test_another_program_gets_nothing_from_the_relay() -> None:
    with ScriptedCamera() as camera:
        wanted = settings("rtsp", camera.url)
        relay = Relay(
            wanted,
            parse_address("rtsp", camera.url, allow_local=True),
            resolve("127.0.0.1", camera.port),
        )
        relay.start()
        place = relay.url.removeprefix("rtsp://").partition("/")[0]
        host, _, port = place.partition(":")
        with socket.create_connection((host, int(port)), 5) as stranger:
            stranger.sendall(f"OPTIONS rtsp://{place}/guess RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            assert stranger.recv(100) == b""
        assert camera.script.asked == []
        relay.close()
