"""What the workers report of themselves: the web, the jobs and the stages of the pipeline."""

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
    """A worker's newest report. ``silent``: seconds since it was read. ``rates``: growth of its
    counters a second.

    ``behind``: seconds that its clock seems to be behind ours, the way of the report included;
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
        self._heard: dict[str, _WorkerHistory] = {}

    def add(self, status: WorkerStatus) -> None:
        """Record a worker's report."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            heard = self._heard.setdefault(status.worker, _WorkerHistory())
            heard.status, heard.at = status, now
            heard.counters.add(status.counters, status.at / SECOND_NS)
            heard.delays.append((time.time_ns() - status.at) / SECOND_NS)

    def remove(self, worker: str) -> None:
        """Forget a worker that shut down cleanly."""
        with self._lock:
            self._heard.pop(worker, None)

    def all(self) -> list[WorkerState]:
        """Every worker that was heard of in the last minute, by role and name."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            # The shortest of its delays has the least of the way in it.
            said = [
                WorkerState(
                    heard.status, now - heard.at, heard.counters.rates(), min(heard.delays, key=abs)
                )
                for heard in self._heard.values()
                if heard.status is not None
            ]
        return sorted(said, key=lambda item: (item.status.role, item.status.worker))

    def _forget(self, now: float) -> None:
        for worker in [
            worker for worker, heard in self._heard.items() if now - heard.at > FORGOTTEN_SECONDS
        ]:
            del self._heard[worker]
