"""One frame's way from the camera to the page, as a collector of traces sees it."""

from __future__ import annotations

import pytest

from sightline.kafka import topics
from sightline.telemetry.tracing import SAMPLED
from tests.pipeline.conftest import TRACE_EVERY, Eyes
from tests.servers.browser import Complaints, chromium, log_in
from tests.servers.otlp import Collector, Span
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)

CAPTURE = {"capture", "grab", "encode", "produce"}
INFER = {"infer", "transport", "waiting", "model", "publish"}
WEB = {"deliver", "paint"}


def test_one_trace_has_the_whole_way_of_a_frame(stack: Stack, collector: Collector) -> None:
    with chromium() as browser:
        page = browser.new_page()
        complaints = Complaints(page)
        log_in(page, stack)
        spans = wait_until(
            lambda: next(filter(whole, collector.traces()), None),
            60,
            "a trace from capture to paint",
        )
        assert not complaints.found
    assert spans
    by_id = {span.identity: span for span in spans}
    by_name = {span.name: span for span in spans}
    assert [span.name for span in spans if not span.parent] == ["capture"]
    assert all(span.start <= span.end for span in spans)
    for names, service in (
        (CAPTURE, "sightline-capture"),
        (INFER, "sightline-infer"),
        (WEB, "sightline-web"),
    ):
        assert {span.service for span in spans if span.name in names} == {service}
    assert {
        span.facts.get("camera")
        for span in (by_name["capture"], by_name["infer"], by_name["deliver"], by_name["paint"])
    } == {"conveyor"}
    assert by_name["infer"].facts["model"] in {"qr", "motion"}
    assert by_name["capture"].facts["seq"] % TRACE_EVERY == 0
    assert by_id[by_name["deliver"].parent].name == "capture"
    assert by_id[by_name["paint"].parent].name == "deliver"
    assert by_name["grab"].end <= by_name["encode"].end <= by_name["produce"].end
    assert by_name["deliver"].start <= by_name["deliver"].end <= by_name["paint"].end


def whole(spans: list[Span]) -> bool:
    known = {span.identity for span in spans} | {b""}
    return {span.name for span in spans} >= CAPTURE | INFER | WEB and all(
        span.parent in known for span in spans
    )


def test_only_traced_frames_carry_the_header(stack: Stack, eyes: Eyes) -> None:
    for frame, _ in zip(
        eyes.frames(topics.frames("conveyor"), "conveyor"), range(2 * TRACE_EVERY), strict=False
    ):
        assert bool(SAMPLED.fullmatch(frame.trace)) is (frame.seq % TRACE_EVERY == 0)
