"""Status reports of processes that have no worker's loop: the web and the jobs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sightline.base.process import freeze_long_lived
from sightline.worker.worker import REPORT_SECONDS, StatusReport, Worker

log = logging.getLogger(__name__)


class Reporter(Worker):
    """Reports the status of ``role`` once a second from a thread; ``count`` returns its
    counters.
    """

    def __init__(self, role: str, count: Callable[[], dict[str, int]]) -> None:
        self.role = role
        super().__init__()
        self.count = count
        self.report = StatusReport(self)
        self._thread = threading.Thread(target=self._run, name=f"report-{role}", daemon=True)

    def counters(self) -> dict[str, int]:
        return self.count()

    def step(self) -> None:
        """Report when it is due, then wait."""
        self.report.send_if_due()
        self.stopping.wait(REPORT_SECONDS)

    def start(self) -> None:
        """Report from now on; call it when the process has finished starting."""
        freeze_long_lived()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and publish a tombstone."""
        self.stopping.set()
        if self._thread.is_alive():
            self._thread.join(REPORT_SECONDS)
        self.report.publish_tombstone()
        self.producer.flush(1)

    def _run(self) -> None:
        while not self.stopping.is_set():
            try:
                self.step()
            except Exception:
                log.exception("status not reported role=%s", self.role)
                self.stopping.wait(REPORT_SECONDS)
