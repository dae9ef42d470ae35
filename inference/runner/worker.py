"""What the infer and the records worker share: a runner for each deployed model version."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from django.db import DatabaseError, close_old_connections
from prometheus_client.core import Metric

from inference.plans import ModelPlan
from inference.runner.metrics import RunnerSample, runner_metrics
from inference.runner.state import RunnerState
from sightline.kafka import Producer, topics
from sightline.messages import ModelState, ModelStatus, model_key
from sightline.messages.history import Interval
from sightline.worker.worker import Worker

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 1.0


PlanT = TypeVar("PlanT", bound=ModelPlan)


class ModelRunner(ABC, Generic[PlanT]):
    """Runs one model version in threads of its own; ``worker`` is the name of its worker."""

    def __init__(self, plan: PlanT, producer: Producer, worker: str = "") -> None:
        self.plan = plan
        self.producer = producer
        self.worker = worker
        self.stopping = threading.Event()
        self.state = RunnerState(plan.model, plan.version, worker, self._changed)
        self._logged = ModelState.LOADING

    @abstractmethod
    def start(self) -> None:
        """Start to load, read and predict."""

    def stop(self) -> None:
        self.stopping.set()

    @abstractmethod
    def join(self, timeout: float) -> bool:
        """Whether all threads have ended within ``timeout`` seconds."""

    def status(self) -> ModelStatus:
        return self.state.status()

    def report(self) -> None:
        if not self.stopping.is_set():
            status = self.status()
            self.producer.send(topics.status(), status.to_json(), key=status.key)

    @abstractmethod
    def metrics(self) -> RunnerSample:
        """A sample for Prometheus; called by another thread."""

    @abstractmethod
    def publish_history(self) -> None:
        """Publish the history since the last call."""

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
    """Follows the deployments in the database. On close all runners together have
    ``stop_seconds`` to end.
    """

    stop_seconds = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.runners: dict[str, RunnerT] = {}
        self.ending: list[RunnerT] = []
        self.interval = Interval()

    @abstractmethod
    def plans(self) -> Mapping[str, PlanT]:
        """The plans that should run, by key; called once a second."""

    @abstractmethod
    def create_runner(self, plan: PlanT) -> RunnerT:
        """A runner for the plan, not yet started."""

    def takes_over(self, runner: RunnerT, plan: PlanT) -> bool:
        """Hand another plan to a runner; False when a new runner must replace it."""
        return False

    def step(self) -> None:
        close_old_connections()
        try:
            plans = self.plans()
        except DatabaseError as err:
            log.warning("database unavailable, runners keep their plans error=%s", err)
        else:
            self.follow(plans)
        for runner in self.runners.values():
            runner.report()
        if self.interval.over():
            for runner in self.runners.values():
                runner.publish_history()
        self.stopping.wait(RECONCILE_SECONDS)

    def follow(self, plans: Mapping[str, PlanT]) -> None:
        """Start, update and stop runners as the plans say."""
        for key, runner in list(self.runners.items()):
            plan = plans.get(key)
            if plan is None:
                self._end(key)
                self._forget(runner)
            elif plan != runner.plan and not self.takes_over(runner, plan):
                self._end(key)
        self.ending = [runner for runner in self.ending if not runner.join(0)]
        ending = {runner.plan.key for runner in self.ending}
        for key, plan in plans.items():
            if key not in self.runners and key not in ending:
                self._start(plan)

    def _start(self, plan: PlanT) -> None:
        runner = self.runners[plan.key] = self.create_runner(plan)
        runner.start()
        log.info("runner started role=%s model=%s", self.role, plan.key)

    def _end(self, key: str) -> None:
        runner = self.runners.pop(key)
        runner.stop()
        runner.publish_history()
        self.ending.append(runner)
        log.info("runner stopping role=%s model=%s", self.role, key)

    def _forget(self, runner: RunnerT) -> None:
        """Publish a tombstone: the version is not deployed any more."""
        self.producer.send(
            topics.status(), None, key=model_key(runner.plan.model, runner.plan.version)
        )

    def close(self) -> None:
        for key in list(self.runners):
            self._end(key)
        deadline = time.monotonic() + self.stop_seconds
        for runner in self.ending:
            runner.join(max(0.0, deadline - time.monotonic()))

    def metrics(self) -> Iterable[Metric]:
        return runner_metrics(self.role, [runner.metrics() for runner in [*self.runners.values()]])

    def counters(self) -> dict[str, int]:
        states = [runner.state for runner in self.runners.values()]
        return {
            "models": len(states),
            "predicted": sum(state.predicted for state in states),
            "failed": sum(state.failed for state in states),
            "errors": sum(state.errors for state in states),
        }
