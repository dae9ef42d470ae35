from __future__ import annotations

import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sightline.kafka import KafkaUnavailable
from sightline.site.roles import ROLES, spec_of, worker_of
from sightline.telemetry.health import Operations
from sightline.worker.supervisor import Supervisor
from sightline.worker.worker import run, stopped_by_signals


class Command(BaseCommand):
    help = (
        "Run workers until SIGTERM. One role runs in this very process, which is what a container"
        " wants; several, or none named for all, run in a supervised process each."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "roles",
            nargs="*",
            metavar="ROLE",
            choices=[[], *ROLES],
            help=f"{', '.join(ROLES)}; none: all",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        roles = options["roles"] or list(ROLES)
        if len(roles) > 1:
            supervise(roles)
            return
        try:
            run(worker_of(roles[0]))
        except KafkaUnavailable as err:
            raise CommandError(str(err)) from err


def supervise(roles: list[str]) -> None:
    """Keep a process for each role running until SIGTERM or SIGINT."""
    stopping = threading.Event()
    supervisor = Supervisor(spec_of(role, "runworkers", role) for role in roles)
    operations = Operations("supervisor", {}, supervisor.metrics, pulse=supervisor.pulse)
    with stopped_by_signals(stopping):
        try:
            supervisor.start()
            operations.start()
            supervisor.run(stopping)
        finally:
            supervisor.stop()
