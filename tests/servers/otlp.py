"""A collector of traces: OTLP over HTTP, as the OpenTelemetry collector takes it, kept in
memory.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from .ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class Span:
    """A span as it came: ``service`` and ``worker`` say who made it; ``start`` and ``end`` in ns
    since the epoch.
    """

    service: str
    worker: str
    name: str
    trace: bytes
    identity: bytes
    parent: bytes
    start: int
    end: int
    facts: dict[str, Any]


class Collector:
    """Collects spans. ``traces`` by their ids."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._traces: dict[bytes, list[Span]] = defaultdict(list)
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest.FromString(
                    self.rfile.read(int(self.headers["Content-Length"]))
                )
                collector._take(request)
                body = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT is to be."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def traces(self) -> list[list[Span]]:
        """The spans so far, by trace."""
        with self._lock:
            return [list(spans) for spans in self._traces.values()]

    def _take(self, request: ExportTraceServiceRequest) -> None:
        with self._lock:
            for resource in request.resource_spans:
                known = _facts(resource.resource.attributes)
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    times = span.start_time_unix_nano, span.end_time_unix_nano
                    who = known["service.name"], known["service.instance.id"]
                    made = Span(
                        *who,
                        span.name,
                        span.trace_id,
                        span.span_id,
                        span.parent_span_id,
                        *times,
                        _facts(span.attributes),
                    )
                    self._traces[span.trace_id].append(made)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="otlp", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _facts(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}
