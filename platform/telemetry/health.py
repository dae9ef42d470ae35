"""Each process's HTTP server on METRICS_PORT, for probes and Prometheus: ``/healthz``, ``/readyz``
and ``/metrics``.

The port is for the cluster and needs no login. The web process also serves these on its own port,
with ``/metrics`` only for users who may see the system page.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from django.conf import settings
from prometheus_client.exposition import choose_encoder

from sightline.telemetry.metrics import Source, process_metrics, registry_of

log = logging.getLogger(__name__)

HANG_SECONDS: Final = 15.0
REQUEST_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 3.0

Check = Callable[[], str]


class Pulse:
    """When the process last did its work. ``excuse`` is called when it does none, and returns what
    it is waiting for, or "".
    """

    def __init__(
        self, excuse: Check = lambda: "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._excuse = excuse
        self._clock = clock
        self._beat_at = clock()

    def beat(self) -> None:
        """Record a heartbeat."""
        self._beat_at = self._clock()

    @property
    def alive(self) -> bool:
        """Whether the last heartbeat is newer than HANG_SECONDS, or there is an excuse."""
        return self._clock() - self._beat_at < HANG_SECONDS or bool(self._excuse())


class Readiness:
    """Runs each check in a thread of its own, so that one that hangs delays no other; it is not
    started again until it is done.
    """

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._lock = threading.Lock()
        self._running: dict[str, Future[str]] = {}

    def problems(self, seconds: float = CHECK_SECONDS) -> dict[str, str]:
        """The problem that each check found, or ""."""
        with self._lock:
            futures = {name: self._start(name, check) for name, check in self._checks.items()}
        wait(futures.values(), seconds)
        return {name: _result(future, seconds) for name, future in futures.items()}

    def _start(self, name: str, check: Check) -> Future[str]:
        if (running := self._running.get(name)) is not None and not running.done():
            return running
        future = self._running[name] = Future()
        threading.Thread(
            target=_complete, args=(future, check), name=f"check-{name}", daemon=True
        ).start()
        return future


def _complete(future: Future[str], check: Check) -> None:
    try:
        future.set_result(check())
    except Exception as err:
        log.exception("check failed")
        future.set_result(f"The check failed: {type(err).__name__}.")


def _result(future: Future[str], seconds: float) -> str:
    return future.result() if future.done() else f"No answer within {seconds:g} s."


class Operations:
    """A process's health, readiness and metrics, and their server in a thread. ``sources`` return
    the metrics of its role.
    """

    def __init__(
        self, role: str, checks: Mapping[str, Check], *sources: Source, pulse: Pulse | None = None
    ) -> None:
        self.pulse = pulse or Pulse()
        self.readiness = Readiness(checks)
        self.registry = registry_of(
            lambda: process_metrics(role, self.pulse.alive, self.readiness.problems()), *sources
        )
        self._server: _Server | None = None

    def start(self, port: int | None = None) -> Self:
        """Listen on ``port`` (METRICS_PORT by default; not at all when it is 0). When the port is
        taken, log an error and go on without.
        """
        port = settings.METRICS_PORT if port is None else port
        if port:
            try:
                self._server = _Server((settings.BIND, port), partial(_Handler, self))
            except OSError as err:
                log.error("metrics are not served port=%s reason=%s", port, err.strerror)
                return self
            threading.Thread(
                target=self._server.serve_forever, name="operations", daemon=True
            ).start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def ready(self) -> tuple[HTTPStatus, dict[str, Any]]:
        """200 when no check found a problem, else 503; and the result of each check."""
        problems = self.readiness.problems()
        status = HTTPStatus.SERVICE_UNAVAILABLE if any(problems.values()) else HTTPStatus.OK
        return status, {
            name: {"ok": not problem, "detail": problem} for name, problem in problems.items()
        }

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics in the format that the header Accept asks for, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A probe that disconnects early is not an error."""
        log.debug("a request for operations broke off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server_version = "Sightline"
    sys_version = ""

    def __init__(self, operations: Operations, *arguments: Any) -> None:
        self.operations = operations
        super().__init__(*arguments)

    def do_GET(self) -> None:
        answer = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }.get(self.path.partition("?")[0])
        if answer is None:
            self._send(
                HTTPStatus.NOT_FOUND, "text/plain", b"Here are /healthz, /readyz and /metrics.\n"
            )
        else:
            answer()

    def _healthz(self) -> None:
        if self.operations.pulse.alive:
            self._send(HTTPStatus.OK, "text/plain", b"ok\n")
        else:
            self._send(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "text/plain",
                b"The process has not done its work for some time.\n",
            )

    def _readyz(self) -> None:
        status, body = self.operations.ready()
        self._send(status, "application/json", json.dumps(body).encode())

    def _metrics(self) -> None:
        body, content_type = self.operations.exposition(self.headers.get("Accept", ""))
        self._send(HTTPStatus.OK, content_type, body)

    def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug("operations %s", format % args)
