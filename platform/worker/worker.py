"""The life of a worker process: open, step until stopped, close. The loop lives here, once."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType

from prometheus_client.core import Metric

from sightline.base.checks import database_problem
from sightline.base.process import freeze_long_lived, trim_memory
from sightline.kafka import Producer, TopicWatchdog, topics
from sightline.messages import WorkerStatus, worker_key
from sightline.telemetry import logs, tracing
from sightline.telemetry.health import Operations
from sightline.telemetry.metrics import producer_metrics

log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
TRIM_SECONDS = 60.0
HEARTBEAT_VARIABLE = "SIGHTLINE_HEARTBEAT_FD"


class Worker:
    """A stage of the pipeline. Subclasses fill in ``open``, ``step`` and ``close``; tests call
    ``step`` themselves.

    ``step`` returns within a second or so, also when there is nothing to do: it waits with
    ``self.stopping.wait(seconds)``.
    """

    role = "worker"

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.producer = Producer()
        self.name = f"{self.role}-{socket.gethostname()}-{os.getpid()}"

    def open(self) -> None:
        """Acquire resources; called once, in the process that will step."""

    def step(self) -> None:
        """Do one round of work."""
        raise NotImplementedError

    def close(self) -> None:
        """Release them; called once, also after a failure."""

    def counters(self) -> dict[str, int]:
        """Totals since the start, by name, for the system page."""
        return {}

    def metrics(self) -> Iterable[Metric]:
        """Metrics for Prometheus; called by another thread."""
        return ()

    def kafka_problem(self) -> str:
        """Why Kafka cannot be used, or ""."""
        health = self.producer.health
        return "" if health.reachable else f"Kafka does not answer. {health.detail}".strip()


def run(worker: Worker) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends the process at once. Errors of ``step``
    end the worker: its supervisor restarts it.
    """
    heartbeat, report, watchdog = Heartbeat(), StatusReport(worker), TopicWatchdog(worker.producer)
    logs.identify(worker.name)
    tracing.start(worker.role, worker.name)
    checks = {"kafka": worker.kafka_problem, "database": database_problem}
    operations = Operations(
        worker.role, checks, worker.metrics, partial(producer_metrics, worker.producer)
    ).start()
    with stopped_by_signals(worker.stopping):
        log.info("worker starting role=%s name=%s", worker.role, worker.name)
        try:
            worker.open()
            watchdog.start()
            freeze_long_lived()
            while not worker.stopping.is_set():
                worker.step()
                heartbeat.beat()
                operations.pulse.beat()
                report.send_if_due()
            report.publish_tombstone()
        finally:
            watchdog.stop()
            worker.close()
            operations.stop()
            worker.producer.flush(5)
            tracing.stop()
            log.info("worker stopped role=%s name=%s", worker.role, worker.name)


@contextlib.contextmanager
def stopped_by_signals(stopping: threading.Event) -> Iterator[None]:
    """Set ``stopping`` on the first SIGTERM or SIGINT; a second one ends the process."""

    def handle(number: int, _frame: FrameType | None) -> None:
        stopping.set()
        signal.signal(number, signal.SIG_DFL)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Heartbeat:
    """Writes a byte a beat to the pipe that the supervisor left open for this process; does
    nothing where there is no supervisor.
    """

    def __init__(self) -> None:
        number = os.environ.pop(HEARTBEAT_VARIABLE, "")
        self.descriptor = int(number) if number else None
        if self.descriptor is not None:
            os.set_blocking(self.descriptor, False)

    def beat(self) -> None:
        """Record a heartbeat. A full or closed pipe is ignored: the worker goes on without its
        supervisor.
        """
        if self.descriptor is not None:
            with contextlib.suppress(OSError):
                os.write(self.descriptor, b".")

    def keep(self) -> None:
        """Beat from a thread, for a process whose loop is not ours. This shows that the process
        runs, not that it works.
        """
        if self.descriptor is not None:
            threading.Thread(target=self._keep, name="heartbeat", daemon=True).start()

    def _keep(self) -> None:
        pause = threading.Event()
        self.beat()
        while not pause.wait(REPORT_SECONDS):
            self.beat()


class StatusReport:
    """Publishes the worker's status about once a second."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.started_at = time.time_ns()
        self.due = 0.0
        self.trim_due = 0.0

    def send_if_due(self) -> None:
        """Publish the status once a second, and trim memory once a minute."""
        now = time.monotonic()
        if now < self.due:
            self.worker.producer.poll_if_open()
            return
        self.due = now + REPORT_SECONDS
        if now >= self.trim_due:
            self.trim_due = now + TRIM_SECONDS
            trim_memory()
        status = self.status()
        self.worker.producer.send(topics.status(), status.to_json(), key=status.key)

    def publish_tombstone(self) -> None:
        """Publish a tombstone on clean shutdown, so that the worker is not reported as missing."""
        if self.due:
            self.worker.producer.send(topics.status(), None, key=worker_key(self.worker.name))

    def status(self) -> WorkerStatus:
        """The worker's state now."""
        producer = self.worker.producer
        counters = {
            "sent": producer.sent,
            "delivered": producer.delivered,
            "delivery_errors": producer.failed,
            "dropped": producer.dropped,
            **self.worker.counters(),
        }
        return WorkerStatus(
            worker=self.worker.name,
            role=self.worker.role,
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=self.started_at,
            at=time.time_ns(),
            memory=resident_bytes(),
            counters=counters,
        )


def resident_bytes(pid: int | str = "self") -> int:
    """The resident set of a process in bytes (Linux; 0 elsewhere)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )
    except OSError:
        return 0
