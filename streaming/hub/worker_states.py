"""The reports of all workers: the web, the jobs and the stages of the pipeline."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from sightline.messages import WorkerStatus
from streaming.hub.rates import REMEMBERED, Counters

FORGOTTEN_SECONDS: Final = 60.0
SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker's newest report. ``silent``: seconds since it was read. ``rates``: its counters
    per second.

    ``behind``: seconds that its clock seems to be behind ours, including the report's delay;
    negative when it is ahead.
    """

    status: WorkerStatus
    silent: float
    rates: dict[str, float]
    behind: float


class _WorkerHistory:
    def __init__(self) -> None:
        self.status: WorkerStatus | None = None
        self.at = 0.0
        self.counters = Counters()
        self.delays: deque[float] = deque(maxlen=REMEMBERED)


class WorkerReports:
    """The newest report of each worker. Written by the hub's thread, read by all. One that is
    silent for a minute is forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: dict[str, _WorkerHistory] = {}

    def add(self, status: WorkerStatus) -> None:
        """Record a worker's report."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            history = self._workers.setdefault(status.worker, _WorkerHistory())
            history.status, history.at = status, now
            history.counters.add(status.counters, status.at / SECOND_NS)
            history.delays.append((time.time_ns() - status.at) / SECOND_NS)

    def remove(self, worker: str) -> None:
        """Forget a worker that shut down cleanly."""
        with self._lock:
            self._workers.pop(worker, None)

    def all(self) -> list[WorkerState]:
        """Every worker that reported in the last minute, by role and name."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            # The shortest delay includes the least transport time.
            states = [
                WorkerState(
                    history.status,
                    now - history.at,
                    history.counters.rates(),
                    min(history.delays, key=abs),
                )
                for history in self._workers.values()
                if history.status is not None
            ]
        return sorted(states, key=lambda item: (item.status.role, item.status.worker))

    def _forget(self, now: float) -> None:
        for worker in [
            worker
            for worker, history in self._workers.items()
            if now - history.at > FORGOTTEN_SECONDS
        ]:
            del self._workers[worker]
