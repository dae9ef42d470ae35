"""`python -m sightline.telemetry.probe`: what a container's health check runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sightline.telemetry.probe import main
from tests.servers.ports import free_port


class Process(BaseHTTPRequestHandler):
    """A process that is well, but not ready."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()
        self.wfile.write(f"{self.path} of {self.headers['Host']}\n".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Process) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_port)
        server.shutdown()


def test_a_process_that_is_well(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METRICS_PORT", port)
    assert main() == 0
    assert capsys.readouterr().out == "/healthz of localhost\n"


def test_a_process_that_is_not_ready_says_why(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main("/readyz", port) == 1
    assert capsys.readouterr().out == "/readyz of localhost\n"


def test_a_process_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    assert main("/healthz", str(port)) == 1
    assert f"Nothing answers on port {port}" in capsys.readouterr().err
