"""The Celery application: ``celery -A sightline worker``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.beat import PersistentScheduler
from celery.signals import beat_init, setup_logging, worker_init, worker_ready

if TYPE_CHECKING:
    from sightline.telemetry.health import Pulse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sightline.settings")

app = Celery("sightline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["cameras", "inference.deadletters"])
app.conf.beat_schedule = {
    "record-health": {
        "task": "cameras.tasks.record_health",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "prune-outages": {"task": "cameras.tasks.prune_outages", "schedule": 24 * 3600.0},
}


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Keep the settings' logging: without a receiver Celery replaces it."""


@worker_init.connect
@beat_init.connect
def prepare_process(**_: object) -> None:
    """Do what manage.py does for its own processes."""
    from sightline.base.process import prepare

    prepare()


@worker_init.connect
def receive_heartbeats(**_: object) -> None:
    """Celery sends heartbeats only to receivers that are connected before the worker is made."""
    import sightline.jobs.report  # noqa: F401


@worker_ready.connect
def report_jobs(**_: object) -> None:
    """Publish a status as all workers do. Imported here, because a process that only sends jobs
    needs no Kafka client.
    """
    from sightline.jobs.report import report

    report()


class Scheduler(PersistentScheduler):
    """Celery's scheduler, with a pulse that shows that it is alive."""

    pulse: Pulse | None = None

    def tick(self, *args: Any, **options: Any) -> float:
        """Send the jobs that are due; returns the seconds until the next one."""
        if self.pulse is not None:
            self.pulse.beat()
        return float(super().tick(*args, **options))


@beat_init.connect
def serve_operations(**_: object) -> None:
    """Health and metrics of the scheduler where it is a process of its own, on METRICS_PORT."""
    from sightline.base.checks import redis_problem
    from sightline.telemetry.health import Operations, Pulse

    checks = {"redis": redis_problem} if app.conf.broker_url.startswith("redis") else {}
    operations = Operations("scheduler", checks, pulse=Pulse(redis_problem)).start()
    Scheduler.pulse = operations.pulse
