"""HTTP goes to the address that was checked, whatever the name means a moment later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from cameras.models import check_address
from cameras.sources import open_source
from cameras.sources.base import Addresses
from tests.cameras.sources.opened import jpeg, settings
from tests.servers.mjpeg import MjpegServer
from tests.servers.resolver import Rebinding


@pytest.fixture
def camera() -> Iterator[MjpegServer]:
    with MjpegServer([jpeg(60), jpeg(90)]) as server:
        yield server


@pytest.mark.parametrize("kind", ["mjpeg", "snapshot"])
def test_a_name_is_asked_for_once(
    kind: str, camera: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebinding = Rebinding("cam.example", "127.0.0.1", "127.0.0.9")
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with socket.create_server(("127.0.0.9", camera.port)) as trap:
        trap.setblocking(False)
        url = camera.url if kind == "mjpeg" else camera.snapshot_url
        pinned = settings(kind, url.replace("127.0.0.1", "cam.example"))
        with open_source(pinned, threading.Event(), check=check_address) as source:
            assert next(iter(source))
        with pytest.raises(BlockingIOError):
            trap.accept()
    assert rebinding.asked == 1


def test_each_connection_is_checked_anew(
    camera: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def check(host: str, port: int) -> Addresses:
        asked.append(host)
        return check_address(host, port)

    for _ in range(2):
        with open_source(settings("mjpeg", camera.url), threading.Event(), check=check) as source:
            assert next(iter(source))
    assert asked == ["127.0.0.1"] * 2
