"""The infer worker: a lane for each model version that has pictures to see."""

from __future__ import annotations

import sys

import cv2

from inference.frames.pipeline import FramePipeline
from inference.plans import VersionPlan, version_plans
from inference.runner.worker import RunnerWorker

SWITCH_SECONDS = 0.0005


class InferWorker(RunnerWorker[VersionPlan, FramePipeline]):
    """Follows the deployments on pictures. Several of these workers share the cameras through
    each model version's consumer group.
    """

    role = "infer"

    def open(self) -> None:
        # Lanes are the parallelism; threads of OpenCV's own on top of them only fight over the
        # cores.
        cv2.setNumThreads(1)
        # A model that computes in Python would keep the threads beside it, which read and prepare,
        # waiting for 5 ms at a time.
        sys.setswitchinterval(SWITCH_SECONDS)

    def plans(self) -> dict[str, VersionPlan]:
        return version_plans()

    def lane(self, plan: VersionPlan) -> FramePipeline:
        return FramePipeline(plan, self.producer, self.name)

    def takes_over(self, lane: FramePipeline, plan: VersionPlan) -> bool:
        if not lane.plan.runs_as(plan):
            return False
        lane.update(plan)
        return True

    def counters(self) -> dict[str, int]:
        return {**super().counters(), "skipped": sum(lane.skipped for lane in self.lanes.values())}
