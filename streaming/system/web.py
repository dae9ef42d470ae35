"""What a web process says of itself."""

from __future__ import annotations

from functools import cache, partial

from django.conf import settings

from sightline.base.checks import database_problem, redis_problem
from sightline.messages import WorkerStatus
from sightline.telemetry.health import Operations
from sightline.telemetry.metrics import producer_metrics
from sightline.worker.reporter import Reporter
from streaming.hub.hub import hub
from streaming.system.metrics import kafka_problem, web_metrics


@cache
def web_reporter() -> Reporter:
    """This process's reporter, started by the command that serves."""
    return Reporter("web", counters)


@cache
def web_operations() -> Operations:
    """This process's health, readiness and metrics."""
    checks = {"database": database_problem, "kafka": kafka_problem} | (
        {"redis": redis_problem} if settings.REDIS_URL else {}
    )
    return Operations(
        "web",
        checks,
        lambda: web_metrics(hub()),
        partial(producer_metrics, web_reporter().producer),
    )


def counters() -> dict[str, int]:
    """Who watches here, and what is read for them."""
    source = hub()
    return {"viewers": source.viewers, "feeds": len(source.frames), "malformed": source.malformed}


def this_process() -> WorkerStatus:
    """This process as it is now, whether or not Kafka carries its reports."""
    return web_reporter().report.status()
