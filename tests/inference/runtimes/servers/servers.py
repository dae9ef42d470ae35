"""Small model servers for the tests of their clients: well-behaved ones that answer as told, and
ones that do not behave.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc

from inference.runtimes.tensors import Backend
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.tcp import MuteServer

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a REST server says."""

    body: bytes = b"{}"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a REST server was asked."""

    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]
    connection: int


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


class RestServer:
    """Answers each request with what ``answer`` gives, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Asked], Answer], port: int | None = None) -> None:
        self.answer = answer
        self.port = port or free_port()
        self.asked: list[Asked] = []
        self._server: ThreadingHTTPServer | None = None
        self._open: set[socket.socket] = set()

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def posted(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method == "POST"]

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._open.add(self.connection)

            def do_GET(self) -> None:
                outer._serve(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            # Its handler's thread may not come to that before the tests end.
            connection.close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        asked = Asked(
            handler.command, handler.path, body, {**handler.headers}, handler.client_address[1]
        )
        self.asked.append(asked)
        answer = self.answer(asked)
        handler.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer.body)


class RawServer(MuteServer):
    """Lets ``talk`` do what it likes with each connection, in a thread of its own."""

    def __init__(
        self, talk: Callable[[socket.socket, threading.Event], None], port: int | None = None
    ) -> None:
        super().__init__(port)
        self._talk = talk
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        return f"http://{self.authority}"

    def handle(self, client: socket.socket) -> None:
        threading.Thread(target=self._run, args=(client,), daemon=True).start()

    def stop(self) -> None:
        self.ended.set()
        super().stop()

    def _run(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self._talk(client, self.ended)


def read_request(client: socket.socket) -> bytes:
    """One HTTP request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536) or _gone()
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length:
        body += client.recv(65536) or _gone()
    return head + b"\r\n\r\n" + body


def _gone() -> bytes:
    raise ConnectionResetError


class GrpcStub:
    """A gRPC server of one service; ``add`` is the generated function that registers a servicer."""

    def __init__(
        self, *services: tuple[Callable[[Any, grpc.Server], None], object], port: int | None = None
    ) -> None:
        self.port = port or free_port()
        self._services = services
        self._server: grpc.Server | None = None

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        options = [("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(4), options=options)
        for add, servicer in self._services:
            add(servicer, self._server)
        assert self._server.add_insecure_port(self.address) == self.port
        self._server.start()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.stop(None).wait()


@contextlib.contextmanager
def loaded(backend: Backend) -> Any:
    """The backend, loaded, for the length of the block."""
    try:
        backend.load()
        yield backend
    finally:
        backend.close()
