"""Status, health and metrics of the process that runs the jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from celery.signals import heartbeat_sent, task_received, worker_shutdown
from celery.worker import state
from django.conf import settings
from prometheus_client.core import Metric

from sightline.base.checks import database_problem, redis_problem
from sightline.jobs.app import app
from sightline.telemetry import logs
from sightline.telemetry.health import Operations, Pulse
from sightline.telemetry.metrics import Family, producer_metrics
from sightline.worker.reporter import Reporter

SCHEDULED: Final = frozenset(entry["task"] for entry in app.conf.beat_schedule.values())

JOBS: Final = Family("counter", "sightline_jobs", "Jobs taken")
RUNNING: Final = Family("gauge", "sightline_jobs_running", "Jobs that run now")
SCHEDULED_AT: Final = Family(
    "gauge",
    "sightline_jobs_scheduled_timestamp_seconds",
    "When a job of the scheduler came last; missing before the first",
)
FAMILIES: Final = (JOBS, RUNNING, SCHEDULED_AT)

_last = {"scheduled": 0}
# Celery sends no heartbeats while it waits for Redis; the check excuses that.
_pulse = Pulse(redis_problem)


@heartbeat_sent.connect
def beat(**_: object) -> None:
    """Record that the worker's loop is running."""
    _pulse.beat()


def report() -> None:
    """Report once a second and serve health and metrics until this process's Celery worker ends."""
    reporter = Reporter("jobs", counters)
    logs.identify(reporter.name)
    checks = {"database": database_problem} | (
        {"redis": redis_problem} if settings.REDIS_URL else {}
    )
    Operations(
        "jobs", checks, metrics, partial(producer_metrics, reporter.producer), pulse=_pulse
    ).start()

    def note(request: Any = None, **_: object) -> None:
        if request is not None and request.name in SCHEDULED:
            _last["scheduled"] = int(time.time())

    task_received.connect(note, weak=False)
    worker_shutdown.connect(lambda **_: reporter.stop(), weak=False)
    reporter.start()


def counters() -> dict[str, int]:
    """Jobs taken since the start, jobs running now, and when the scheduler last sent one, in
    seconds since the epoch (0: not yet).
    """
    return {
        "jobs": sum(state.total_count.values()),
        "running": len(state.active_requests),
        "last_scheduled": _last["scheduled"],
    }


def metrics() -> Iterator[Metric]:
    """The counters as metrics for Prometheus."""
    counts = counters()
    yield JOBS.single(counts["jobs"])
    yield RUNNING.single(counts["running"])
    yield SCHEDULED_AT.of([((), counts["last_scheduled"])] if counts["last_scheduled"] else [])
