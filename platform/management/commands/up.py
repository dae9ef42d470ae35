from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from sightline import kafka
from sightline.base.network import free_port, is_listening
from sightline.site.demo import ADMIN, first_start
from sightline.site.roles import ROLES, spec_of
from sightline.telemetry.health import Operations
from sightline.worker.supervisor import Spec, Supervisor
from sightline.worker.worker import stopped_by_signals

BROKER_SECONDS = 20
READY_SECONDS = 60


class Command(BaseCommand):
    help = (
        "Start everything on this machine: broker (unless KAFKA_BOOTSTRAP_SERVERS is set), web,"
        " workers, jobs. Ctrl-C ends it all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--verbose", action="store_true", help="show what every process logs, not only warnings"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not os.environ.get("LOG_LEVEL"):
            os.environ["LOG_LEVEL"] = "INFO" if options["verbose"] else "WARNING"
        logging.getLogger().setLevel(os.environ["LOG_LEVEL"].upper())
        if is_listening(settings.BIND, settings.PORT):
            self.stderr.write(
                f"Port {settings.PORT} is taken. Choose another: PORT={settings.PORT + 1} make run"
            )
            sys.exit(1)
        stopping = threading.Event()
        with stopped_by_signals(stopping):
            self.run(stopping)

    def run(self, stopping: threading.Event) -> None:
        """Prepare the database, start all processes, print where they are, and supervise them until
        stopped.
        """
        started = time.monotonic()
        self.stdout.write("Sightline is starting …")
        os.environ.pop("ADMIN_PASSWORD", None)
        call_command("migrate", verbosity=0, interactive=False)
        password = first_start(settings.ADMIN_PASSWORD)
        supervisor = Supervisor(specs())
        try:
            supervisor.start()
            Operations("supervisor", {}, supervisor.metrics, pulse=supervisor.pulse).start()
            self.wait_until_ready(supervisor, stopping)
            if not stopping.is_set():
                self.tell(supervisor, password, time.monotonic() - started)
            supervisor.run(stopping)
        finally:
            self.stdout.write("\nStopping …")
            supervisor.stop()
            forget_broker()
            self.stdout.write("All processes have ended.")

    def wait_until_ready(self, supervisor: Supervisor, stopping: threading.Event) -> None:
        """Wait until every process has sent a heartbeat, for READY_SECONDS at most."""
        deadline = time.monotonic() + READY_SECONDS
        while not stopping.is_set() and not supervisor.ready and time.monotonic() < deadline:
            supervisor.step()

    def tell(self, supervisor: Supervisor, password: str | None, seconds: float) -> None:
        """Print what runs, where to go and how to log in."""
        self.stdout.write("")
        for child in supervisor.children:
            pid = child.process.pid if child.process else "-"
            state = self.style.SUCCESS("ready") if child.ready else self.style.WARNING("starting")
            self.stdout.write(f"  {child.spec.name:<8} {state:<10} pid {pid}")
        self.stdout.write(
            f"\nReady in {seconds:.0f} s. Open"
            f" {self.style.SUCCESS(f'http://localhost:{settings.PORT}/')}"
        )
        if password is not None:
            self.stdout.write(
                f"Log in as {ADMIN} with the password {self.style.SUCCESS(password)}   (shown only"
                " now)"
            )
        self.stdout.write(f"Data is in {settings.DATA_DIR}. Ctrl-C ends everything.\n")
        self.stdout.flush()


def specs() -> list[Spec]:
    """The processes of one machine. The broker comes first, so that it ends last."""
    broker = [] if settings.KAFKA_BOOTSTRAP_SERVERS else [broker_spec()]
    return [
        *broker,
        spec_of("web", "runweb"),
        *(spec_of(role, "runworkers", role) for role in ROLES),
        spec_of("jobs", "runjobs"),
    ]


def broker_spec() -> Spec:
    """The embedded broker on a free port, which it keeps across restarts; children and later
    commands find the address in the environment and in DATA_DIR.
    """
    port = free_port()
    address = f"127.0.0.1:{port}"
    kafka.address_file().write_text(address, encoding="utf-8")
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = address
    os.environ["KAFKA_EMBEDDED"] = "1"
    return Spec(
        "broker", [sys.executable, "-m", "sightline.kafka.broker", str(port)], heartbeat=False
    )


def forget_broker() -> None:
    """Remove the embedded broker's address: it has ended."""
    if not settings.KAFKA_BOOTSTRAP_SERVERS:
        kafka.address_file().unlink(missing_ok=True)
