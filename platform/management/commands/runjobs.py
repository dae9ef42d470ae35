from __future__ import annotations

import warnings
from typing import Any

from celery.beat import EmbeddedService
from celery.exceptions import SecurityWarning
from celery.signals import beat_init, worker_ready, worker_shutting_down
from django.core.management.base import BaseCommand, CommandParser

from sightline.jobs.app import app, serve_operations
from sightline.worker.worker import Heartbeat


class Command(BaseCommand):
    help = (
        "Run the jobs: a Celery worker with its scheduler, in one process. On a cluster, run"
        " `celery -A sightline worker` and `beat` instead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=2, help="how many jobs at a time (default: 2)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        # On a laptop or in a container root is root; our tasks are JSON, never pickle, so there is
        # nothing to warn of.
        warnings.simplefilter("ignore", SecurityWarning)
        Heartbeat().keep()
        beat: Any = EmbeddedService(app, thread=True)
        # One process, one server: the worker's.
        beat_init.disconnect(serve_operations)
        # A thread of the worker: Celery's own --beat would be a second process.
        worker_ready.connect(lambda **_: beat.start(), weak=False)
        worker_shutting_down.connect(lambda **_: beat.stop(), weak=False)
        threads = ["--pool", "threads", "--concurrency", str(options["concurrency"])]
        app.worker_main(
            [
                "--quiet",
                "worker",
                *threads,
                "--without-gossip",
                "--without-mingle",
                "--loglevel",
                "WARNING",
            ]
        )
