"""Traces of single frames from capture to paint, by OpenTelemetry; off unless
OTEL_EXPORTER_OTLP_ENDPOINT is set.

One frame in TRACE_EVERY is traced. Its record in Kafka has the header ``traceparent`` (W3C Trace
Context), and so do the predictions about it: every stage adds its spans to the same trace. Spans
are made from the times that the stages note anyway, once their work is done. Where tracing is
off, a frame costs one comparison with None.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings

import sightline

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

HEADER: Final = "traceparent"
EXPORT_SECONDS: Final = 5.0
FLUSH_SECONDS: Final = 2.0
SAMPLED: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")

Facts = str | int

tracer: Tracer | None = None
"""None: tracing is off in this process."""
_provider: TracerProvider | None = None


def start(role: str, name: str) -> None:
    """Start tracing if the settings ask for it, under ``name``. Call it after any fork, in the
    process that traces.
    """
    global tracer, _provider
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    known = {
        "service.name": f"sightline-{role}",
        "service.namespace": "sightline",
        "service.instance.id": name,
    }
    _provider = TracerProvider(
        resource=Resource(known | {"service.version": sightline.__version__}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(
        f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces", timeout=EXPORT_SECONDS
    )
    _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    tracer = _provider.get_tracer("sightline", sightline.__version__)


def stop() -> None:
    """Send the remaining spans, and wait FLUSH_SECONDS at most for a collector that does not
    answer.
    """
    global tracer, _provider
    ending, tracer, _provider = _provider, None, None
    if ending is not None:
        thread = threading.Thread(target=ending.shutdown, name="tracing-end", daemon=True)
        thread.start()
        thread.join(FLUSH_SECONDS)


@dataclass(frozen=True, slots=True)
class Trace:
    """A span that has begun. Times are in ns since the epoch."""

    span: Span

    @property
    def parent(self) -> str:
        """The value of the header for records that are passed on."""
        context = self.span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def part(self, name: str, start: int, end: int) -> None:
        """Add a span for a finished part of this one."""
        if (part := follow(self.parent, name, start)) is not None:
            part.end(end)

    def end(self, at: int, **facts: Facts) -> None:
        """End the span, with ``facts`` as its attributes."""
        self.span.set_attributes(facts)
        self.span.end(at)


def traces(number: int) -> bool:
    """Whether the frame with this number is one of those that are traced."""
    return tracer is not None and number % settings.TRACE_EVERY == 0


def begin(name: str, start: int, **facts: Facts) -> Trace | None:
    """The first span of a trace; None where tracing is off."""
    return (
        None
        if tracer is None
        else Trace(tracer.start_span(name, start_time=start, attributes=facts))
    )


def follow(parent: str, name: str, start: int, **facts: Facts) -> Trace | None:
    """A span under another one, perhaps another process's; None where tracing is off, and for
    what is not traced: its ``parent`` is "".
    """
    if tracer is None or not parent:
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    _, trace, span, _ = parent.split("-")
    context = SpanContext(
        int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return Trace(
        tracer.start_span(
            name, set_span_in_context(NonRecordingSpan(context)), start_time=start, attributes=facts
        )
    )


def parent_in(headers: Mapping[str, bytes]) -> str:
    """The header of a traced record, else "", also where another program wrote one that is not
    valid.
    """
    value = headers.get(HEADER)
    if value is None or len(value) != 55:
        return ""
    text = value.decode("latin1")
    return text if SAMPLED.fullmatch(text) else ""
