"""The preparing thread of a lane: has the next pictures decoded when the model is done with the
ones before.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from inference.frames.crops import Crop, cut
from inference.frames.latest import LatestFrames, Waiting
from inference.plans import VersionPlan, View
from inference.runtimes.base import Look, Picture
from inference.runtimes.errors import InferenceError
from sightline.kafka import Record
from sightline.messages import FrameRef

WAIT_SECONDS: Final = 0.2
REMEMBERED: Final = 8
OLD_SECONDS: Final = 0.05
AHEAD_SECONDS: Final = 0.01
MAX_READY: Final = 8

Refuse = Callable[[Record, BaseException], None]


@dataclass(frozen=True, slots=True)
class Job:
    """One frame on its way through the model: the picture itself, or the crops that the model is to
    see instead.

    ``frame`` has the picture's own size, whatever the record's headers say.
    """

    waiting: Waiting
    frame: FrameRef
    view: View
    pictures: tuple[Picture, ...]
    crops: tuple[Crop, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ready:
    """The frames of one call, and since when they are ready (monotonic seconds)."""

    jobs: list[Job]
    since: float

    @property
    def cameras(self) -> frozenset[str]:
        return frozenset(job.waiting.frame.camera for job in self.jobs)

    def is_old(self) -> bool:
        return time.monotonic() - self.since > OLD_SECONDS


class Prefetch:
    """Takes frames out of the slots and makes them ready just before the model can take them: not
    so early that newer ones come meanwhile.

    What a model asks of a picture (colours, size) is learned from the pictures that it has seen.
    ``cameras`` says how many cameras there are: more frames than that are not waited for.
    """

    def __init__(
        self,
        slots: LatestFrames,
        plan: Callable[[], VersionPlan],
        cameras: Callable[[], int],
        refuse: Refuse,
    ) -> None:
        self.slots = slots
        self.plan = plan
        self.cameras = cameras
        self.refuse = refuse
        self.looks: tuple[Look, ...] = ()
        self._turn = threading.Condition()
        self._ready: deque[_Ready] = deque()
        self._taken_at = self._due = 0.0
        self._works: deque[float] = deque(maxlen=REMEMBERED)
        self._costs: deque[float] = deque(maxlen=REMEMBERED)

    def next(self, timeout: float) -> list[Job]:
        """For the model's thread: the next frames; empty after ``timeout`` seconds."""
        with self._turn:
            if self._taken_at:
                self._works.append(time.monotonic() - self._taken_at)
                self._taken_at = 0.0
            self._drop_the_old()
            if not self._turn.wait_for(lambda: bool(self._ready), timeout):
                return []
            jobs = self._ready.popleft().jobs
            self._taken_at = time.monotonic()
            self._due = self._taken_at + self._lead()
            self._turn.notify_all()
            return jobs

    def _drop_the_old(self) -> None:
        """The model took longer than usual: what is ready was taken too early, and newer frames
        may have come.
        """
        kept: deque[_Ready] = deque()
        newer = self.slots.cameras()
        for item in reversed(self._ready):
            if item.is_old() and item.cameras & newer:
                self.slots.skip(job.waiting.frame.camera for job in item.jobs)
            else:
                kept.appendleft(item)
            newer |= item.cameras
        if len(kept) < len(self._ready):
            self._ready = kept
            self._turn.notify_all()

    def _has_room(self) -> bool:
        """One batch is made ready, and of a quick model more, so that a moment's delay does not
        keep it waiting.
        """
        quickest = min(self._works, default=AHEAD_SECONDS)
        return len(self._ready) < max(1, min(MAX_READY, int(AHEAD_SECONDS / max(quickest, 1e-4))))

    def _lead(self) -> float:
        """Seconds that the model will be busy, less what it takes to prepare frames: careful
        estimates, because a model must not wait.
        """
        if not (self._works and self._costs):
            return 0.0
        return min(self._works) - 2 * max(self._costs) - self.plan().batch_ms / 1000

    def run(self, stopping: threading.Event) -> None:
        """Prepare frames until told to stop."""
        while not stopping.is_set():
            with self._turn:
                if not self._turn.wait_for(self._has_room, WAIT_SECONDS):
                    continue
            if stopping.wait(max(0.0, self._due - time.monotonic())):
                return
            if taken := self._take():
                jobs = self._prepared(taken)
                with self._turn:
                    self._ready += [_Ready(jobs, time.monotonic())] if jobs else []
                    self._turn.notify_all()

    def _take(self) -> list[Waiting]:
        plan = self.plan()
        most = max(1, min(plan.batch, self.cameras()))
        return self.slots.take(most, WAIT_SECONDS, plan.batch_ms / 1000)

    def _prepared(self, taken: Sequence[Waiting]) -> list[Job]:
        started = time.monotonic()
        views = self.plan().view_of
        jobs = [
            job
            for waiting in taken
            if (job := self._job(waiting, views.get(waiting.frame.camera))) is not None
        ]
        self._costs.append(time.monotonic() - started)
        return jobs

    def _job(self, waiting: Waiting, view: View | None) -> Job | None:
        """None for a camera that is not seen any more, and for a frame that cannot be cut up."""
        if view is None:
            return None
        picture = Picture(waiting.frame)
        frame = picture.sized(waiting.frame.ref)
        if not view.crops_of:
            picture.prepare(self.looks)
            return Job(waiting, frame, view, (picture,))
        try:
            crops = tuple(cut(picture, frame, waiting.found))
        except InferenceError as err:
            self.refuse(waiting.record, err)
            return None
        return Job(waiting, frame, view, tuple(crop.picture for crop in crops), crops)
