from __future__ import annotations

import logging
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
import requests
from prometheus_client.core import Metric

from sightline.telemetry.health import (
    HANG_SECONDS,
    Operations,
    Pulse,
    Readiness,
)
from sightline.telemetry.metrics import BOUNDS, Durations, Family
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until


class Clock:
    """Monotonic seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_process_that_does_no_work_is_not_well_unless_it_waits_for_another() -> None:
    clock, excuses = Clock(), [""]
    pulse = Pulse(lambda: excuses[0], clock)
    seen = [pulse.alive]

    clock.now += HANG_SECONDS
    seen.append(pulse.alive)
    excuses[0] = "Redis does not answer."
    seen.append(pulse.alive)
    excuses[0] = ""
    pulse.beat()
    seen.append(pulse.alive)

    assert seen == [True, False, True, True]


def test_a_check_that_hangs_is_named_holds_up_nobody_and_is_asked_once() -> None:
    release, asked = threading.Event(), []

    def hanging() -> str:
        asked.append(1)
        release.wait(30)
        return ""

    readiness = Readiness(
        {"database": hanging, "kafka": lambda: "Kafka does not answer.", "redis": lambda: ""}
    )
    for _ in range(2):
        assert readiness.problems(0.05) == {
            "database": "No answer within 0.05 s.",
            "kafka": "Kafka does not answer.",
            "redis": "",
        }
    assert len(asked) == 1
    release.set()
    assert readiness.problems(20)["database"] == ""


def test_a_check_that_fails_is_a_problem() -> None:
    assert Readiness({"database": lambda: str(1 // 0)}).problems() == {
        "database": "The check failed: ZeroDivisionError."
    }


DRAWN = Family("counter", "sightline_test", "Pictures", ("camera",))


@pytest.fixture
def operations() -> Iterator[Operations]:
    def good() -> Iterator[Metric]:
        yield DRAWN.of([(('a "quoted" \\ name',), 3)])

    def bad() -> Iterator[Metric]:
        yield DRAWN.of([])
        raise RuntimeError("boom")

    operations = Operations("test", {"kafka": lambda: "Kafka does not answer."}, bad, good).start(
        free_port()
    )
    yield operations
    operations.stop()


def test_it_is_served_and_a_source_that_fails_costs_its_own_metrics_only(
    operations: Operations,
) -> None:
    assert operations._server
    at = f"http://127.0.0.1:{operations._server.server_port}"

    answer = requests.get(f"{at}/metrics", timeout=10)

    assert 'sightline_test_total{camera="a \\"quoted\\" \\\\ name"} 3.0' in answer.text
    assert answer.text.count("# TYPE sightline_test_total counter") == 1
    assert 'sightline_ready{check="kafka"} 0.0' in answer.text
    assert "process_resident_memory_bytes" in answer.text
    openmetrics = requests.get(
        f"{at}/metrics",
        headers={"Accept": "application/openmetrics-text; version=1.0.0"},
        timeout=10,
    )
    assert openmetrics.text.endswith("# EOF\n")
    ready = requests.get(f"{at}/readyz", timeout=10)
    assert (ready.status_code, ready.json()) == (
        503,
        {"kafka": {"ok": False, "detail": "Kafka does not answer."}},
    )
    assert requests.get(f"{at}/healthz", timeout=10).status_code == 200


def test_a_port_that_is_taken_costs_the_metrics_not_the_work(
    operations: Operations, caplog: pytest.LogCaptureFixture
) -> None:
    assert operations._server

    second = Operations("test", {}).start(operations._server.server_port)

    assert second._server is None
    assert "metrics are not served" in caplog.text
    second.stop()


def test_a_probe_that_hangs_up_is_no_news(
    operations: Operations, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    assert operations._server
    caplog.set_level(logging.DEBUG, "sightline.telemetry.health")

    with socket.create_connection(("127.0.0.1", operations._server.server_port)) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # close() sends a reset

    wait_until(lambda: "broke off" in caplog.text, 10)
    assert "Traceback" not in capfd.readouterr().err


def test_durations_are_counted_up_to_each_bound() -> None:
    durations = Durations()
    for seconds in (-3.0, 0.005, 0.0051, 2.0, 99.0):
        durations.add(seconds)

    counts, total = durations.state()

    assert counts == [2, *(3 for _ in BOUNDS[1:8]), 4, 4, 4, 5]
    assert total == pytest.approx(0.005 + 0.0051 + 2 + 99)
    family = Family("histogram", "sightline_test_seconds", "Time", ("stage",)).of(
        [(("model",), durations)]
    )
    last = [sample for sample in family.samples if sample.labels.get("le") == "+Inf"]
    assert [(sample.name, sample.labels["stage"], sample.value) for sample in last] == [
        ("sightline_test_seconds_bucket", "model", 5)
    ]
