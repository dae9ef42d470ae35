from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from sightline.site.demo import ADMIN, first_start

RETRY_SECONDS = 1.0


class Command(BaseCommand):
    help = (
        "Bring the database to this release. When it has no user yet and ADMIN_PASSWORD is set,"
        " make the user admin. To be run once for each release, before its processes start; running"
        " it again does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--demo",
            action="store_true",
            help="with the first user, register a demo camera and two models, too",
        )
        parser.add_argument(
            "--await",
            action="store_true",
            help="change nothing: wait until another run has brought the database to this release",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=300.0,
            metavar="SECONDS",
            help="how long to wait, for the database and so on (default: 300)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        deadline = time.monotonic() + options["wait"]
        wait_while(database_is_away, deadline)
        if options["await"]:
            wait_while(database_is_older, deadline)
            return
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
        if not settings.ADMIN_PASSWORD:
            self.stdout.write(
                "No ADMIN_PASSWORD: no user was made. `manage.py createsuperuser` makes one."
            )
        elif first_start(settings.ADMIN_PASSWORD, demo=options["demo"]):
            self.stdout.write(f"Made the user {ADMIN}.")


def wait_while(problem: Callable[[], str], deadline: float) -> None:
    """Wait until there is no problem; CommandError with its words if there still is one at
    ``deadline`` (monotonic seconds).
    """
    while found := problem():
        if time.monotonic() >= deadline:
            raise CommandError(found)
        time.sleep(RETRY_SECONDS)


def database_is_away() -> str:
    """Why the database takes no connections, or "". The driver's message names the host and the
    user, never the password.
    """
    try:
        connection.ensure_connection()
    except OperationalError as err:
        return f"The database does not let us in: {err}".strip()
    return ""


def database_is_older() -> str:
    """Which migrations of this release the database lacks, or ""."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except OperationalError as err:
        return f"The database does not answer: {err}".strip()
    finally:
        connection.close()
    if not missing:
        return ""
    return (
        f"The database lacks {len(missing)} migrations of this release: nobody has run `manage.py"
        " prepare`."
    )
