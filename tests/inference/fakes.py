"""A model that does what it is told, and the plans to run it by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from inference.plans import FramePlan, View
from inference.runtimes.base import Picture
from sightline.messages import Detection

Answer = Callable[[Picture], tuple[Detection, ...]]
SEEN = (
    Detection("person", 0.9, (0.1, 0.2, 0.3, 0.4), track=3),
    Detection("person", 0.3, (0.5, 0.5, 0.6, 0.6)),
)


class FakeRuntime:
    """Answers with ``answer``; waits while ``held``, and notes what it saw."""

    def __init__(self, answer: Answer = lambda _: SEEN) -> None:
        self.answer = answer
        self.free = threading.Event()
        self.free.set()
        self.seen: list[Picture] = []
        self.loads = self.closes = 0

    def load(self) -> None:
        self.loads += 1

    def predict(self, batch: Sequence[Picture]) -> list[tuple[Detection, ...]]:
        self.seen += batch
        self.free.wait(30)
        return [self.answer(picture) for picture in batch]

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
        views=tuple((camera, View(role, threshold)) for camera in sorted(cameras)),
    )
