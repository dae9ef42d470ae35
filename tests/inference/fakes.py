"""A model that does what it is told, and the plans to run it by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from inference.plans import CameraDeployment, FramePlan
from inference.runtimes.base import Picture
from sightline.messages import Detection

Detect = Callable[[Picture], tuple[Detection, ...]]
DETECTIONS = (
    Detection("person", 0.9, (0.1, 0.2, 0.3, 0.4), track=3),
    Detection("person", 0.3, (0.5, 0.5, 0.6, 0.6)),
)


class FakeRuntime:
    """Gives what ``detect`` gives, but waits until ``free`` is set; keeps its pictures."""

    def __init__(self, detect: Detect = lambda _: DETECTIONS) -> None:
        self.detect = detect
        self.free = threading.Event()
        self.free.set()
        self.pictures: list[Picture] = []
        self.loads = self.closes = 0

    def load(self) -> None:
        self.loads += 1

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        self.pictures += batch
        self.free.wait(30)
        return [self.detect(picture) for picture in batch]

    def close(self) -> None:
        self.closes += 1


def plan(
    *cameras: str,
    model: str = "fake",
    role: str = "live",
    threshold: float = 0.0,
    options: str = "{}",
) -> FramePlan:
    """A plan for version 1 of a model that sees the cameras."""
    return FramePlan(
        model=model,
        version="1",
        runtime="builtin-motion",
        options=options,
        deployments=tuple(
            (camera, CameraDeployment(role, threshold)) for camera in sorted(cameras)
        ),
    )
