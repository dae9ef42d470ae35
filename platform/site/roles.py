"""The roles that ``runworkers`` knows, and what does their work. Part of the roof: it knows the
apps.
"""

from __future__ import annotations

from importlib import import_module

from django.conf import settings

from sightline.worker.supervisor import Spec, manage
from sightline.worker.worker import Worker

ROLES = {
    "capture": "cameras.capture.worker.CaptureWorker",
    "infer": "inference.frames.worker.InferWorker",
    "records": "inference.streams.worker.RecordsWorker",
    "imprint": "inference.imprint.worker.ImprintWorker",
}
# Inference yields to capture and the web: with few cores, models skip frames and the video stays
# fluent.
NICENESS = {"infer": 5, "records": 5, "imprint": 5, "jobs": 5}
# They take the metrics ports after their supervisor's, in this order.
PROCESSES = ("web", *ROLES, "jobs")


def worker_of(role: str) -> Worker:
    """A new worker of a role; its module is imported only now, so that no process carries
    another's libraries.
    """
    module, name = ROLES[role].rsplit(".", 1)
    worker: Worker = getattr(import_module(module), name)()
    return worker


def spec_of(process: str, *command: str) -> Spec:
    """One of PROCESSES as a supervisor runs it: with the arguments of manage.py, and a metrics
    port of its own where there are any.
    """
    port = settings.METRICS_PORT and settings.METRICS_PORT + 1 + PROCESSES.index(process)
    return Spec(
        process, manage(*command), {"METRICS_PORT": str(port)}, niceness=NICENESS.get(process, 0)
    )
