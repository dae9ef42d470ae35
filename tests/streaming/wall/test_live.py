"""The wall's socket on a real server process."""

from __future__ import annotations

import json
import socket
import statistics
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from sightline.messages import Detection
from streaming.wall.socket import CLOSE_TOO_LARGE
from tests.servers.waiting import wait_until
from tests.streaming.conftest import Camera, Rolling, noise
from tests.streaming.site import Site
from tests.streaming.viewers import lazy_request

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("web server")]

MIB = 1024 * 1024


class LiveWall:
    """A viewer that acknowledges."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def next(self) -> dict[str, Any]:
        data = self.socket.recv(timeout=10)
        if isinstance(data, str):
            message: dict[str, Any] = json.loads(data)
            return message
        length = int.from_bytes(data[:4], "big")
        header = json.loads(data[4 : 4 + length])
        self.socket.send(
            json.dumps({"type": "ack", "camera": header["camera"], "seq": header["seq"]})
        )
        return {
            "type": "frame",
            "age": (time.time_ns() - header["captured_at"]) / 1e9,
            "jpeg": data[4 + length :],
            **header,
        }

    def read_to_the_end(self, after: str = "") -> None:
        """Say something, if anything, and read until the connection is closed, which raises."""
        if after:
            self.socket.send(after)
        while True:
            self.next()

    def frame(self) -> dict[str, Any]:
        while (message := self.next())["type"] != "frame":
            pass
        return message


@contextmanager
def live_wall(site: Site, *cameras: str) -> Iterator[LiveWall]:
    """An open wall with these tiles."""
    address = f"ws://127.0.0.1:{site.port}/ws/wall/"
    with connect(
        address, additional_headers=site.bearer(), compression=None, max_size=None
    ) as connection:
        for camera in cameras:
            connection.send(
                json.dumps({"type": "watch", "camera": camera, "fps": 60, "width": 1280})
            )
        yield LiveWall(connection)


@pytest.fixture
def heavy(on_site: Site, gate: Camera) -> Iterator[Rolling]:
    with Rolling(gate, fps=40, jpeg=noise(80_000), width=1280) as rolling:
        yield rolling


RESET = struct.pack("ii", 1, 0)  # close() sends a reset, no farewell
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


def _masked(text: str) -> bytes:
    """A client's text frame (RFC 6455, 5.2) with a mask of zeros."""
    data = text.encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


def _lazy_wall(site: Site, camera: str) -> socket.socket:
    connection = lazy_request(site, "/ws/wall/", *HANDSHAKE)
    connection.settimeout(10)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1)
    assert b" 101 " in answer
    connection.sendall(
        _masked(json.dumps({"type": "watch", "camera": camera, "width": 1920, "fps": 60}))
    )
    return connection


def test_frames_are_the_cameras_own(heavy: Rolling, on_site: Site) -> None:
    with live_wall(on_site, "gate") as wall:
        for _ in range(20):
            frame = wall.frame()
    assert frame["jpeg"] == heavy.sent[-1].jpeg


def test_a_viewer_that_does_not_read_costs_bounded_memory_and_delays_nobody(
    heavy: Rolling, on_site: Site, gate: Camera
) -> None:
    big = tuple(Detection("parcel", 0.5, (0, 0, 1, 1), text="x" * 1000) for _ in range(50))
    ages = []
    with live_wall(on_site, "gate") as wall:
        usual = statistics.median(wall.frame()["age"] for _ in range(20))
        before = on_site.memory
        stopped = [_lazy_wall(on_site, "gate") for _ in range(5)]
        for _ in range(120):
            gate.predict(heavy.sent[-1], *big)  # 50 kB that no acknowledgement holds back
            ages.append(wall.frame()["age"])
        assert on_site.memory - before < 8 * MIB
    assert statistics.median(ages) < usual + 0.5
    for connection in stopped:
        connection.close()


def test_500_viewers_who_leave_leave_nothing_behind(heavy: Rolling, on_site: Site) -> None:
    with live_wall(on_site, "gate") as wall:
        for _ in range(20):
            wall.frame()
        sockets, threads, memory = on_site.sockets, on_site.threads, on_site.memory
        for turn in range(10):
            connections = [_lazy_wall(on_site, "gate") for _ in range(50)]
            wall.frame()
            for connection in connections:
                if turn % 2:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.close()

        def all_given_back() -> bool:
            wall.frame()
            return on_site.sockets <= sockets and on_site.threads <= threads + 4

        wait_until(all_given_back, 15, "all to be given back")
        assert on_site.memory - memory < 16 * MIB


def test_a_foreign_page_is_refused(on_site: Site) -> None:
    headers = on_site.bearer() | {"Origin": "http://evil.example.com"}
    with (
        pytest.raises(InvalidStatus) as refusal,
        connect(f"ws://127.0.0.1:{on_site.port}/ws/wall/", additional_headers=headers),
    ):
        pass
    assert refusal.value.response.status_code == 403


def test_an_unknown_socket_is_refused_without_a_traceback(on_site: Site) -> None:
    with (
        pytest.raises(InvalidStatus),
        connect(f"ws://127.0.0.1:{on_site.port}/ws/other/", additional_headers=on_site.bearer()),
    ):
        pass
    assert "Traceback" not in on_site.child.tail()


def test_a_message_that_is_too_large_closes_the_socket(on_site: Site) -> None:
    with live_wall(on_site) as wall:
        wall.socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as closed:
            wall.read_to_the_end()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CLOSE_TOO_LARGE


def test_a_message_that_is_far_too_large_is_not_read(on_site: Site) -> None:
    before = on_site.memory
    with live_wall(on_site) as wall, pytest.raises((ConnectionClosed, OSError)):
        wall.read_to_the_end(after="x" * 30 * MIB)
    assert on_site.memory - before < 8 * MIB


def test_sigterm_ends_the_server_with_sockets_open(on_site: Site, heavy: Rolling) -> None:
    with live_wall(on_site, "gate") as wall:
        wall.frame()
        stopped = _lazy_wall(on_site, "gate")
        started = time.monotonic()
        on_site.child.stop(grace=15)
        assert time.monotonic() - started < 10
        stopped.close()
    assert on_site.child.returncode == 0
    assert "Traceback" not in on_site.child.tail()
    on_site.start()
