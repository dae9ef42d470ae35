"""An HTTP camera: an MJPEG stream at /stream.mjpg, single pictures at /snapshot.jpg, and faults
to switch on.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from .httpauth import Gate
from .login import Login
from .ports import LOOPBACK, free_port

STREAM = "/stream.mjpg"
SNAPSHOT = "/snapshot.jpg"
WEB_PAGE = b"<!doctype html><title>Camera</title><h1>Please log in</h1>"

Pictures = Sequence[bytes] | Callable[[int], bytes]


@dataclass(slots=True)
class Faults:
    """What is wrong with the camera. A field set while it runs takes effect with the next frame
    or request.
    """

    silent: bool = False  # connections stay open, nothing is sent
    corrupt_every: int = 0  # every nth JPEG is cut in half
    zero_frames: bool = (
        False  # the stream begins and ends without a picture; a snapshot has no bytes
    )
    html: bool = False  # answers 200 with a web page
    status: int = 0  # answers with this HTTP status
    redirect: str = ""  # answers 302 to this address


class MjpegServer:
    """Serves JPEGs, given as a list that is repeated or as a function of the frame's number, at
    `fps` to each viewer.

    With `part_length` each part of the stream carries its Content-Length, without it only the
    boundary ends a part. It runs in threads of this process. The same port over stop() and
    start(), and over refuse() and accept().
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        fps: float = 10.0,
        port: int | None = None,
        part_length: bool = True,
        boundary: str = "frame",
        login: Login | None = None,
    ) -> None:
        self.pictures = pictures
        self.fps = fps
        self.port = port or free_port()
        self.part_length = part_length
        self.boundary = boundary
        self.gate = Gate(login)
        self.faults = Faults()
        self.connections = 0  # accepted, in all
        self.frames_sent = 0  # pictures handed to viewers' sockets, in all; corrupt ones count
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}{STREAM}"

    @property
    def snapshot_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}{SNAPSHOT}"

    @property
    def viewers(self) -> int:
        """Connections open now."""
        return len(self._server.clients) if self._server else 0

    def start(self) -> Self:
        self.closing = threading.Event()
        self._server = _Server(self)
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name=f"mjpeg-{self.port}", daemon=True
        ).start()
        return self

    def stop(self) -> None:
        """Ends all connections and closes the port. Stopping twice is fine."""
        server, self._server = self._server, None
        if server:
            self.closing.set()
            server.shutdown()
            server.server_close()
            server.hang_up()

    def refuse(self) -> None:
        """Unplugged: like stop(), under the name of the fault."""
        self.stop()

    def accept(self) -> None:
        """Plugged in again, after refuse()."""
        self.start()

    def picture(self, number: int) -> bytes:
        """The JPEG of frame `number` of a stream, or what the faults make of it."""
        jpeg = (
            self.pictures(number)
            if callable(self.pictures)
            else self.pictures[number % len(self.pictures)]
        )
        every = self.faults.corrupt_every
        return jpeg[: len(jpeg) // 2] if every and number % every == every - 1 else jpeg

    def count_connection(self) -> None:
        with self._lock:
            self.connections += 1

    def count_frame(self) -> int:
        """Count a frame that is about to be sent; return how many there were before."""
        with self._lock:
            self.frames_sent += 1
            return self.frames_sent - 1

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, camera: MjpegServer) -> None:
        self.camera = camera
        self.clients: set[socket.socket] = set()
        super().__init__((LOOPBACK, camera.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.camera.count_connection()
        self.clients.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.clients.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for client in list(self.clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Viewers that go away are no news; anything else is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        camera, path = self.server.camera, self.path.partition("?")[0]
        self._sit_out_silence(camera)
        if not self._answer_fault(camera):
            if not camera.gate.admits("GET", self.headers.get("Authorization", "")):
                self._answer(
                    HTTPStatus.UNAUTHORIZED,
                    "text/plain",
                    b"",
                    ("WWW-Authenticate", camera.gate.challenge()),
                )
            elif path == STREAM:
                self._stream(camera)
            elif path == SNAPSHOT:
                self._snapshot(camera)
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"")

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the tests look at the camera's counters."""

    def _answer_fault(self, camera: MjpegServer) -> bool:
        faults = camera.faults
        if faults.status:
            self._answer(faults.status, "text/plain", b"")
        elif faults.redirect:
            self._answer(HTTPStatus.FOUND, "text/plain", b"", ("Location", faults.redirect))
        elif faults.html:
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", WEB_PAGE)
        else:
            return False
        return True

    def _answer(
        self, status: int, content_type: str, body: bytes, *headers: tuple[str, str]
    ) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            *headers,
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _snapshot(self, camera: MjpegServer) -> None:
        jpeg = b"" if camera.faults.zero_frames else camera.picture(camera.count_frame())
        self._answer(HTTPStatus.OK, "image/jpeg", jpeg)

    def _stream(self, camera: MjpegServer) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={camera.boundary}")
        self.end_headers()
        number, due = 0, time.monotonic()
        while not camera.closing.is_set() and not camera.faults.zero_frames:
            camera.count_frame()  # first: who has read a picture must find it counted
            self.wfile.write(self._part(camera, camera.picture(number)))
            number, due = number + 1, due + 1 / camera.fps
            camera.closing.wait(max(0.0, due - time.monotonic()))
            self._sit_out_silence(camera)

    def _part(self, camera: MjpegServer, jpeg: bytes) -> bytes:
        length = f"Content-Length: {len(jpeg)}\r\n" if camera.part_length else ""
        return (
            f"--{camera.boundary}\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode()
            + jpeg
            + b"\r\n"
        )

    def _sit_out_silence(self, camera: MjpegServer) -> None:
        while camera.faults.silent and not camera.closing.wait(0.02):
            pass
