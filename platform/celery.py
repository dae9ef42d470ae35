"""The Celery application: ``celery -A sightline worker``."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sightline.settings")

app = Celery("sightline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "record-health": {"task": "cameras.tasks.record_health", "schedule": 10.0, "options": {"expires": 10}},
    "prune-outages": {"task": "cameras.tasks.prune_outages", "schedule": 24 * 3600.0},
}


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Without a receiver Celery would replace the logging that the settings ask for."""


@worker_ready.connect
def report_jobs(**_: object) -> None:
    """A process that runs jobs tells of itself as all workers do. Imported only there: the application alone needs no Kafka."""
    from sightline.jobs import report

    report()
