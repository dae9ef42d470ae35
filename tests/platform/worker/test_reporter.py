"""Processes without a worker's loop stand beside the workers in the status topic; who ends in
good order is not missed.
"""

from __future__ import annotations

import pytest

from sightline.jobs import report as jobs
from sightline.kafka import topics
from sightline.messages import WorkerStatus
from sightline.worker.reporter import Reporter
from sightline.worker.worker import Worker, run
from tests.support import reading

pytestmark = pytest.mark.usefixtures("embedded")


def test_it_reports_and_takes_its_leave() -> None:
    reporter = Reporter("web", lambda: {"viewers": 3})
    with reading(topics.status()) as status:
        reporter.start()
        told = WorkerStatus.from_json(status.wait()[0].value)
        reporter.stop()
        last = status.wait(2)[-1]

    assert (told.worker, told.role, told.counters["viewers"]) == (reporter.name, "web", 3)
    assert (last.key, last.value) == (f"worker/{reporter.name}".encode(), None)


class Short(Worker):
    """Ends at once, or fails."""

    role = "short"

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.failure = failure
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == 2:
            self.stopping.set()
            if self.failure:
                raise self.failure


def test_a_worker_that_is_told_to_end_takes_its_leave_and_one_that_fails_does_not() -> None:
    good, bad = Short(), Short(RuntimeError("boom"))
    bad.name = "short-bad"
    with pytest.raises(RuntimeError):
        run(bad)
    run(good)

    with reading(topics.status()) as status:
        found = [(record.key, record.value is None) for record in status.wait(3)]
    assert found == [
        (b"worker/short-bad", False),
        (f"worker/{good.name}".encode(), False),
        (f"worker/{good.name}".encode(), True),
    ]


def test_jobs_count_nothing_before_the_first() -> None:
    assert jobs.counters() == {"jobs": 0, "running": 0, "last_scheduled": 0}
    assert {"cameras.tasks.record_health"} <= jobs.SCHEDULED
