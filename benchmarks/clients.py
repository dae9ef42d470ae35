"""Viewers for the benchmarks: many connections in one process of its own, so that their cost is
not the server's.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)
MAX_AGES = 200_000


def said(message: dict[str, object]) -> bytes:
    """A client's text message (RFC 6455, 5.2) with a mask of zeros."""
    data = json.dumps(message).encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data), 0, 0, 0, 0]) + data


def watching(camera: str) -> bytes:
    """The message that asks the wall for a camera as it is."""
    return said({"type": "watch", "camera": camera, "fps": 60, "width": 1920})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who connects where: ``socket`` True for the wall's WebSocket with one tile, False for the
    MJPEG stream.
    """

    port: int
    camera: str
    socket: bool
    headers: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """What all viewers got since the last time: frames, and their ages in ms."""

    frames: int = 0
    ages: list[float] = field(default_factory=list)

    def note(self, captured_at: float) -> None:
        """A frame that was captured at this time (s) is here."""
        self.frames += 1
        if len(self.ages) < MAX_AGES:
            self.ages.append((time.time() - captured_at) * 1e3)


class Viewer(asyncio.Protocol):
    """One connection that asks and reads as fast as it can."""

    def __init__(self, wanted: Wanted, tally: Callable[[], Tally]) -> None:
        self.wanted = wanted
        self.tally = tally
        self.buffer = bytearray()
        self.needed = 0
        self.transport: asyncio.Transport | None = None
        self.read = self._read_answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        path = "/ws/wall/" if self.wanted.socket else f"/cameras/{self.wanted.camera}/stream.mjpg"
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.wanted.port}",
            *self.wanted.headers,
            *(HANDSHAKE if self.wanted.socket else ()),
        ]
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) < self.needed:
            return
        self.needed = 0
        while self.read():
            pass

    def _read_answer(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status = bytes(self.buffer[:12])
        if status not in (b"HTTP/1.1 101", b"HTTP/1.1 200"):
            raise RuntimeError(f"refused: {bytes(self.buffer[:200])!r}")
        del self.buffer[: end + 4]
        if self.wanted.socket:
            self.write(watching(self.wanted.camera))
        self.read = self._read_message if self.wanted.socket else self._read_part
        return True

    def _read_part(self) -> bool:
        """One picture of the stream; what is between two pictures, the chunks' lengths too, is
        passed over.
        """
        start = self.buffer.find(b"Content-Length: ")
        end = self.buffer.find(b"\r\n\r\n", start)
        if start < 0 or end < 0:
            return False
        header = dict(line.split(b": ", 1) for line in bytes(self.buffer[start:end]).split(b"\r\n"))
        self.needed = end + 4 + int(header[b"Content-Length"]) + 4
        if len(self.buffer) < self.needed:
            return False
        del self.buffer[: self.needed]
        self.needed = 0
        self.tally().note(float(header[b"X-Timestamp"]))
        return True

    def _read_message(self) -> bool:
        """One message of the socket (RFC 6455, 5.2)."""
        if len(self.buffer) < 10:
            return False
        length, start = self.buffer[1] & 127, 2
        if length == 126:
            (length,), start = struct.unpack_from(">H", self.buffer, 2), 4
        elif length == 127:
            (length,), start = struct.unpack_from(">Q", self.buffer, 2), 10
        self.needed = start + length
        if len(self.buffer) < self.needed:
            return False
        if self.buffer[0] & 15 == 2:
            self._acknowledge(start)
        del self.buffer[: self.needed]
        self.needed = 0
        return True

    def _acknowledge(self, start: int) -> None:
        (length,) = struct.unpack_from(">I", self.buffer, start)
        header = json.loads(bytes(self.buffer[start + 4 : start + 4 + length]))
        self.tally().note(header["captured_at"] / 1e9)
        self.write(said({"type": "ack", "camera": header["camera"], "seq": header["seq"]}))

    def write(self, data: bytes) -> None:
        """Send to the server."""
        assert self.transport
        self.transport.write(data)


class Clients:
    """Viewers in a process of their own, connected for the length of a ``with`` block."""

    def __init__(self, wanted: Wanted, count: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.ours, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(wanted, count, theirs), daemon=True)

    def take(self) -> Tally:
        """What the viewers got since the last call."""
        self.ours.send("take")
        tally = self.ours.recv()
        assert isinstance(tally, Tally)
        return tally

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.join()


def _serve(wanted: Wanted, count: int, orders: Connection) -> None:
    asyncio.run(_watch(wanted, count, orders))


async def _watch(wanted: Wanted, count: int, orders: Connection) -> None:
    loop = asyncio.get_running_loop()
    tally = Tally()
    for _ in range(count):
        await loop.create_connection(
            lambda: Viewer(wanted, lambda: tally), "127.0.0.1", wanted.port
        )
    while await asyncio.to_thread(orders.recv):
        orders.send(tally)
        tally = Tally()
