from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from cameras.capture.tracing import FrameTrace
from sightline.messages import Frame
from sightline.telemetry import tracing
from tests.servers.otlp import Collector
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ZEROS = f"00-{'0' * 32}{PARENT[35:]}".encode()
HEADERS = {"seq": b"100", "captured_at": b"1", "width": b"2", "height": b"3"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def tracing_to(settings: Settings) -> Iterator[Settings]:
    settings.TRACE_EVERY = 100
    yield settings
    tracing.stop()


def test_it_is_off_unless_an_address_is_set() -> None:
    tracing.start("capture", "capture-a-1")

    assert tracing.tracer is None
    assert not tracing.traces(0)
    assert tracing.follow(PARENT, "infer", 1) is None
    assert tracing.begin("capture", 1) is None


def test_spans_reach_the_collector_under_their_parent(
    tracing_to: Settings, collector: Collector
) -> None:
    tracing_to.OTEL_EXPORTER_OTLP_ENDPOINT = f"{collector.url}/"
    tracing.start("capture", "capture-a-1")
    assert [tracing.traces(number) for number in (0, 1, 99, 200)] == [True, False, False, True]
    trace = FrameTrace.begin("gate", 100, 5)
    assert trace
    header = trace.encoded()
    trace.delivered("")
    followed = tracing.follow(header, "infer", 7, model="qr")
    assert followed
    followed.end(9)

    (spans,) = wait_until(collector.traces, 20, "the spans")
    wait_until(lambda: len(collector.traces()[0]) == 5, 20, "all of them")

    spans = collector.traces()[0]
    by_name = {span.name: span for span in spans}
    assert {span.parent for span in spans if span.name != "capture"} == {
        by_name["capture"].identity
    }
    assert header == f"00-{by_name['capture'].trace.hex()}-{by_name['capture'].identity.hex()}-01"
    infer = by_name["infer"]
    assert (infer.start, infer.end, infer.facts, infer.worker) == (
        7,
        9,
        {"model": "qr"},
        "capture-a-1",
    )


def test_a_collector_that_is_away_holds_up_nothing(
    tracing_to: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.05)
    tracing_to.OTEL_EXPORTER_OTLP_ENDPOINT = f"http://127.0.0.1:{free_port()}"
    tracing.start("capture", "capture-a-1")
    trace = FrameTrace.begin("gate", 100, 5)
    assert trace
    trace.delivered("Kafka went away")

    tracing.stop()

    assert tracing.tracer is None


def test_the_header_of_a_frame_goes_there_and_back() -> None:
    frame = Frame("gate", 100, 1, 2, 3, b"jpeg", trace=PARENT)

    assert Frame.from_record("gate", b"jpeg", frame.headers(), -1) == frame
    assert tracing.HEADER not in Frame("gate", 100, 1, 2, 3, b"jpeg").headers()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"nonsense",
        f"{PARENT}0".encode(),
        PARENT.replace("-01", "-00").encode(),
        PARENT.upper().encode(),
        b"\xff" * 55,
        ZEROS,
    ],
)
def test_a_header_that_others_wrote_and_that_is_none_is_ignored(header: bytes) -> None:
    assert Frame.from_record("gate", b"jpeg", {**HEADERS, tracing.HEADER: header}, 7).trace == ""
