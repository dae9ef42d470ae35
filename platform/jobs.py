"""What the process that runs the jobs reports of itself."""

from __future__ import annotations

import time
from typing import Any, Final

from celery.signals import task_received, worker_shutdown
from celery.worker import state

from sightline.celery import app
from sightline.reporter import Reporter

SCHEDULED: Final = frozenset(entry["task"] for entry in app.conf.beat_schedule.values())

_last = {"scheduled": 0}


def report() -> None:
    """Report once a second until the Celery worker of this process ends."""
    reporter = Reporter("jobs", counters)

    def note(request: Any = None, **_: object) -> None:
        if request is not None and request.name in SCHEDULED:
            _last["scheduled"] = int(time.time())

    task_received.connect(note, weak=False)
    worker_shutdown.connect(lambda **_: reporter.stop(), weak=False)
    reporter.start()


def counters() -> dict[str, int]:
    """Jobs taken since the start, jobs that run now, and when the scheduler last sent one: seconds since the epoch, 0 = not yet."""
    return {"jobs": sum(state.total_count.values()), "running": len(state.active_requests), "last_scheduled": _last["scheduled"]}
