"""Puts a process that has no worker's loop, such as the web or the jobs, beside the workers in
the status topic.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sightline.base.process import settle
from sightline.worker.worker import REPORT_SECONDS, Report, Worker


class Reporter(Worker):
    """Reports ``role`` once a second from a thread of its own. ``count`` gives the counters."""

    def __init__(self, role: str, count: Callable[[], dict[str, int]]) -> None:
        self.role = role
        super().__init__()
        self.count = count
        self.report = Report(self)
        self._thread = threading.Thread(target=self._run, name=f"report-{role}", daemon=True)

    def counters(self) -> dict[str, int]:
        return self.count()

    def step(self) -> None:
        """Report if it is time, and wait."""
        self.report.send_if_due()
        self.stopping.wait(REPORT_SECONDS)

    def start(self) -> None:
        """Begin to report: the process has started."""
        settle()
        self._thread.start()

    def stop(self) -> None:
        """End in good order."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join(REPORT_SECONDS)
        self.report.withdraw()
        self.producer.flush(1)

    def _run(self) -> None:
        while not self.stopping.is_set():
            self.step()
