"""The infer worker: runs a frame pipeline for each model version that is deployed on cameras."""

from __future__ import annotations

import sys

import cv2

from inference.frames.pipeline import FramePipeline
from inference.plans import FramePlan, frame_plans
from inference.runner.worker import RunnerWorker

SWITCH_SECONDS = 0.0005


class InferWorker(RunnerWorker[FramePlan, FramePipeline]):
    """Follows the deployments on cameras. Several such workers share a model version's cameras
    through its consumer group.
    """

    role = "infer"

    def open(self) -> None:
        # Pipelines run in parallel already; OpenCV's own threads would compete for the cores.
        cv2.setNumThreads(1)
        # With the default of 5 ms, a model that computes in Python blocks the threads that read and
        # prepare frames.
        sys.setswitchinterval(SWITCH_SECONDS)

    def plans(self) -> dict[str, FramePlan]:
        return frame_plans()

    def create_runner(self, plan: FramePlan) -> FramePipeline:
        return FramePipeline(plan, self.producer, self.name)

    def takes_over(self, runner: FramePipeline, plan: FramePlan) -> bool:
        if not runner.plan.runs_as(plan):
            return False
        runner.update(plan)
        return True

    def counters(self) -> dict[str, int]:
        return {
            **super().counters(),
            "skipped": sum(runner.skipped for runner in self.runners.values()),
        }
