"""The infer worker: runs a frame pipeline for each model version that is deployed on cameras."""

from __future__ import annotations

import sys

import cv2

from inference.frames.pipeline import FramePipeline
from inference.plans import FramePlan, frame_plans
from inference.runner.worker import RunnerWorker

SWITCH_SECONDS = 0.0005


class InferWorker(RunnerWorker[FramePlan, FramePipeline]):
    """Follows the deployments on cameras. Several such workers share the cameras of each model
    version through its consumer group.
    """

    role = "infer"

    def open(self) -> None:
        # Pipelines are the parallelism; OpenCV's own threads would only compete for the cores.
        cv2.setNumThreads(1)
        # A model that computes in Python would keep the threads that read and prepare waiting for
        # 5 ms at a time.
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
