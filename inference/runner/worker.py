"""What the infer and the records worker share: a lane for each model version that the database
says should run.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from django.db import DatabaseError, close_old_connections
from prometheus_client.core import Metric

from inference.runner.metrics import RunnerState, runner_metrics
from inference.runner.state import ModelTracker
from sightline.kafka import Producer, topics
from sightline.messages import ModelState, ModelStatus, model_key
from sightline.messages.history import Interval
from sightline.worker.worker import Worker

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 1.0


class Plan(Protocol):
    """What a lane works by; plans are compared."""

    @property
    def model(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def key(self) -> str:
        """``model@version``."""
        ...


PlanT = TypeVar("PlanT", bound=Plan)


class ModelRunner(ABC, Generic[PlanT]):
    """One model version at work, in threads of its own. ``worker`` is the name of the worker
    that it belongs to.
    """

    def __init__(self, plan: PlanT, producer: Producer, worker: str = "") -> None:
        self.plan = plan
        self.producer = producer
        self.worker = worker
        self.stopping = threading.Event()
        self.tracker = ModelTracker(plan.model, plan.version, worker, self._changed)
        self._logged = ModelState.LOADING

    @abstractmethod
    def start(self) -> None:
        """Begin to load, read and answer."""

    def stop(self) -> None:
        """Ask all threads to end."""
        self.stopping.set()

    @abstractmethod
    def join(self, timeout: float) -> bool:
        """Whether all have ended within ``timeout`` seconds."""

    def status(self) -> ModelStatus:
        """How the model does now."""
        return self.tracker.status()

    def report(self) -> None:
        """Publish the state."""
        if not self.stopping.is_set():
            status = self.status()
            self.producer.send(topics.status(), status.to_json(), key=status.key)

    @abstractmethod
    def metrics(self) -> RunnerState:
        """What Prometheus is told; asked for by another thread."""

    @abstractmethod
    def tell_history(self) -> None:
        """Publish what was done since the last time."""

    def _changed(self, status: ModelStatus) -> None:
        if status.state is not self._logged:
            self._logged = status.state
            level = logging.WARNING if status.state is ModelState.FAILING else logging.INFO
            log.log(
                level, "model %s model=%s detail=%s", status.state, self.plan.key, status.detail
            )
        self.report()


RunnerT = TypeVar("RunnerT", bound=ModelRunner[Any])


class RunnerWorker(Worker, ABC, Generic[PlanT, RunnerT]):
    """Follows the deployments in the database. ``stop_seconds``: how long all lanes together are
    given to end.
    """

    stop_seconds = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.lanes: dict[str, RunnerT] = {}
        self.ending: list[RunnerT] = []
        self.interval = Interval()

    @abstractmethod
    def plans(self) -> Mapping[str, PlanT]:
        """What should run, by key; asked for once a second."""

    @abstractmethod
    def lane(self, plan: PlanT) -> RunnerT:
        """A lane that works by the plan, not yet started."""

    def takes_over(self, lane: RunnerT, plan: PlanT) -> bool:
        """Let a running lane go on by another plan; False when it cannot, and another one must
        take its place.
        """
        return False

    def step(self) -> None:
        close_old_connections()
        try:
            plans = self.plans()
        except DatabaseError as err:
            log.warning("database unavailable, models go on as they are error=%s", err)
        else:
            self.follow(plans)
        for lane in self.lanes.values():
            lane.report()
        if self.interval.over():
            for lane in self.lanes.values():
                lane.tell_history()
        self.stopping.wait(RECONCILE_SECONDS)

    def follow(self, plans: Mapping[str, PlanT]) -> None:
        """Make the running lanes those that should run."""
        for key, lane in list(self.lanes.items()):
            plan = plans.get(key)
            if plan is None:
                self._end(key)
                self._forget(lane)
            elif plan != lane.plan and not self.takes_over(lane, plan):
                self._end(key)
        self.ending = [lane for lane in self.ending if not lane.join(0)]
        ending = {lane.plan.key for lane in self.ending}
        for key, plan in plans.items():
            if key not in self.lanes and key not in ending:
                self._start(plan)

    def _start(self, plan: PlanT) -> None:
        lane = self.lanes[plan.key] = self.lane(plan)
        lane.start()
        log.info("lane started role=%s model=%s", self.role, plan.key)

    def _end(self, key: str) -> None:
        lane = self.lanes.pop(key)
        lane.stop()
        lane.tell_history()
        self.ending.append(lane)
        log.info("lane stopping role=%s model=%s", self.role, key)

    def _forget(self, lane: RunnerT) -> None:
        """Nobody is to run it any more: its state is no news."""
        self.producer.send(topics.status(), None, key=model_key(lane.plan.model, lane.plan.version))

    def close(self) -> None:
        for key in list(self.lanes):
            self._end(key)
        deadline = time.monotonic() + self.stop_seconds
        for lane in self.ending:
            lane.join(max(0.0, deadline - time.monotonic()))

    def metrics(self) -> Iterable[Metric]:
        return runner_metrics(self.role, [lane.metrics() for lane in [*self.lanes.values()]])

    def counters(self) -> dict[str, int]:
        trackers = [lane.tracker for lane in self.lanes.values()]
        return {
            "models": len(trackers),
            "predicted": sum(tracker.predicted for tracker in trackers),
            "failed": sum(tracker.failed for tracker in trackers),
            "errors": sum(tracker.errors for tracker in trackers),
        }
