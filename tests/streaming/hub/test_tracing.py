from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pytest_django import Settings

from sightline.telemetry import tracing
from streaming.hub import tracing as module
from streaming.hub.scaled_frame import LiveFrame
from streaming.hub.tracing import Painting
from tests.servers.otlp import Collector, Span
from tests.servers.waiting import wait_until
from tests.support import frame

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector(settings: Settings) -> Iterator[Collector]:
    with Collector() as collector:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = collector.url
        tracing.start("web", "web-a-1")
        yield collector
        tracing.stop()


def spans(collector: Collector, name: str, count: int) -> list[Span]:
    def found() -> list[Span]:
        return [span for trace in collector.traces() for span in trace if span.name == name]

    wait_until(lambda: len(found()) == count, 20, f"{count} spans {name}")
    return found()


def test_a_paint_ends_when_the_page_says_but_not_before_the_sending_or_after_now(
    collector: Collector,
) -> None:
    painting = Painting()
    for seq in (1, 2, 3):
        painting.sent(LiveFrame(replace(frame("gate", seq=seq), trace=PARENT)))
    sent_at = time.time_ns()
    painting.painted("gate", 1, 5)
    painting.painted("gate", 2, sent_at + 1)
    painting.painted("gate", 3, 2**62)
    painting.painted("gate", 3, sent_at)
    painting.painted("vault", 1, sent_at)
    now = time.time_ns()

    first, second, third = sorted(spans(collector, "paint", 3), key=lambda span: span.facts["seq"])

    assert first.end == first.start <= sent_at
    assert second.end == sent_at + 1
    assert sent_at <= third.end <= now


def test_frames_that_are_never_painted_take_bounded_memory(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    painting = Painting()
    for seq in (1, 2, 3):
        painting.sent(LiveFrame(replace(frame("gate", seq=seq), trace=PARENT)))
        painting.sent(LiveFrame(frame("gate", seq=seq + 10)))

    for seq in (1, 2, 3, 11):
        painting.painted("gate", seq, time.time_ns())

    assert {span.facts["seq"] for span in spans(collector, "paint", 2)} == {2, 3}
