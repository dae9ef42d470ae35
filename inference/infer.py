"""The infer worker: a lane for each model version that has work."""

from __future__ import annotations

import logging
import sys
import time

import cv2
from django.db import DatabaseError, close_old_connections

from inference.lane import Lane
from inference.plans import VersionPlan, version_plans
from sightline import topics
from sightline.history import Interval
from sightline.messages import model_key
from sightline.worker import Worker

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 1.0
STOP_SECONDS = 10.0
SWITCH_SECONDS = 0.0005


class InferWorker(Worker):
    """Follows the deployments in the database. Several of these workers share the cameras through each model version's consumer group."""

    role = "infer"

    def __init__(self) -> None:
        super().__init__()
        self.lanes: dict[str, Lane] = {}
        self.ending: list[Lane] = []
        self.interval = Interval()

    def open(self) -> None:
        # Lanes are the parallelism; threads of OpenCV's own on top of them only fight over the cores.
        cv2.setNumThreads(1)
        # A model that computes in Python would keep the threads beside it, which read and prepare, waiting for 5 ms at a time.
        sys.setswitchinterval(SWITCH_SECONDS)

    def step(self) -> None:
        close_old_connections()
        try:
            plans = version_plans()
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

    def follow(self, plans: dict[str, VersionPlan]) -> None:
        """Make the running lanes those that should run."""
        for key, lane in list(self.lanes.items()):
            plan = plans.get(key)
            if plan is None:
                self._end(key)
                self._forget(lane)
            elif not lane.plan.runs_as(plan):
                self._end(key)
            elif plan != lane.plan:
                lane.update(plan)
        self.ending = [lane for lane in self.ending if not lane.join(0)]
        ending = {lane.plan.key for lane in self.ending}
        for key, plan in plans.items():
            if key not in self.lanes and key not in ending:
                self._start(plan)

    def _start(self, plan: VersionPlan) -> None:
        lane = self.lanes[plan.key] = Lane(plan, self.producer, self.name)
        lane.start()
        log.info("lane started model=%s cameras=%s", plan.key, len(plan.cameras))

    def _end(self, key: str) -> None:
        lane = self.lanes.pop(key)
        lane.stop()
        lane.tell_history()
        self.ending.append(lane)
        log.info("lane stopping model=%s", key)

    def _forget(self, lane: Lane) -> None:
        """Nobody is to run it any more: its state is no news."""
        self.producer.send(topics.status(), None, key=model_key(lane.plan.model, lane.plan.version))

    def close(self) -> None:
        for key in list(self.lanes):
            self._end(key)
        deadline = time.monotonic() + STOP_SECONDS
        for lane in self.ending:
            lane.join(max(0.0, deadline - time.monotonic()))

    def counters(self) -> dict[str, int]:
        lanes = self.lanes.values()
        return {
            "models": len(lanes),
            "predicted": sum(lane.predicted for lane in lanes),
            "failed": sum(lane.failed for lane in lanes),
            "errors": sum(lane.errors for lane in lanes),
            "skipped": sum(lane.skipped for lane in lanes),
        }
