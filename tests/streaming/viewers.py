"""Viewers of a running site, as plain sockets."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import requests

from tests.streaming.site import Site


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart stream."""

    headers: dict[str, str]
    body: bytes

    @property
    def seq(self) -> int:
        return int(self.headers["X-Frame-Seq"])

    @property
    def age(self) -> float:
        """Seconds since the capture, now."""
        return time.time() - float(self.headers["X-Timestamp"])


class Stream:
    """A reader of an MJPEG stream that reads when told to."""

    def __init__(self, site: Site, path: str) -> None:
        self.response = requests.get(
            site.url + path, headers=site.bearer(), stream=True, timeout=10
        )
        self.response.raise_for_status()
        self.raw = self.response.raw
        assert self.response.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        self.buffer = b""
        assert self._line() == b"--frame"

    def _fill(self) -> None:
        data = self.raw.read1(64 * 1024) if hasattr(self.raw, "read1") else self.raw.read(64 * 1024)
        if not data:
            raise EOFError("the stream ended")
        self.buffer += data

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self._fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def part(self) -> Part:
        """The next picture; EOFError when the stream ended."""
        headers = {}
        while line := self._line():
            name, value = line.decode().split(": ", 1)
            headers[name] = value
        length = int(headers["Content-Length"])
        while len(self.buffer) < length:
            self._fill()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        assert self._line() == b""
        assert self._line() == b"--frame"
        return Part(headers, body)

    def close(self) -> None:
        self.response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def lazy_request(site: Site, path: str, *headers: str) -> socket.socket:
    """A connection that has asked and reads nothing; its own buffer is small."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    connection.connect(("127.0.0.1", site.port))
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{site.port}",
        f"Authorization: {site.bearer()['Authorization']}",
        *headers,
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return connection
