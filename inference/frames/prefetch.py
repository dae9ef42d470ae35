"""Prepares the next frames while the model is busy with the ones before."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from inference.frames.latest import LatestFrames, WaitingFrame
from inference.frames.predict import PreparedFrame, prepare
from inference.plans import FramePlan
from inference.runtimes.base import Decoding
from inference.runtimes.errors import InferenceError
from sightline.kafka import Record

WAIT_SECONDS: Final = 0.2
REMEMBERED: Final = 8
OLD_SECONDS: Final = 0.05
AHEAD_SECONDS: Final = 0.01
MAX_READY: Final = 8

Refuse = Callable[[Record, BaseException], None]


@dataclass(frozen=True, slots=True)
class _Ready:
    """The frames of one call, and since when they are ready (monotonic seconds)."""

    frames: list[PreparedFrame]
    since: float

    @property
    def cameras(self) -> frozenset[str]:
        return frozenset(frame.waiting.frame.camera for frame in self.frames)

    def is_old(self) -> bool:
        return time.monotonic() - self.since > OLD_SECONDS


class Prefetch:
    """Takes the latest frames and prepares them just before the model is free: no earlier, because
    newer ones may come.

    How a model wants its pictures decoded (colours, size) is learned from the last one.
    ``cameras`` says how many cameras there are: a batch does not wait for more frames than that.
    """

    def __init__(
        self,
        latest: LatestFrames,
        plan: Callable[[], FramePlan],
        cameras: Callable[[], int],
        refuse: Refuse,
    ) -> None:
        self.latest = latest
        self.plan = plan
        self.cameras = cameras
        self.refuse = refuse
        self.decodings: tuple[Decoding, ...] = ()
        self._turn = threading.Condition()
        self._ready: deque[_Ready] = deque()
        self._taken_at = self._due = 0.0
        self._works: deque[float] = deque(maxlen=REMEMBERED)
        self._costs: deque[float] = deque(maxlen=REMEMBERED)

    def next(self, timeout: float) -> list[PreparedFrame]:
        """For the model's thread: the next frames; empty after ``timeout`` seconds."""
        with self._turn:
            if self._taken_at:
                self._works.append(time.monotonic() - self._taken_at)
                self._taken_at = 0.0
            self._drop_the_old()
            if not self._turn.wait_for(lambda: bool(self._ready), timeout):
                return []
            frames = self._ready.popleft().frames
            self._taken_at = time.monotonic()
            self._due = self._taken_at + self._lead()
            self._turn.notify_all()
            return frames

    def _drop_the_old(self) -> None:
        """The model took longer than usual: what is ready was taken too early, and newer frames
        may have come.
        """
        kept: deque[_Ready] = deque()
        newer = self.latest.cameras()
        for item in reversed(self._ready):
            if item.is_old() and item.cameras & newer:
                self.latest.skip(frame.waiting.frame.camera for frame in item.frames)
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
                frames = self._prepared(taken)
                with self._turn:
                    self._ready += [_Ready(frames, time.monotonic())] if frames else []
                    self._turn.notify_all()

    def _take(self) -> list[WaitingFrame]:
        plan = self.plan()
        limit = max(1, min(plan.batch, self.cameras()))
        return self.latest.take(limit, WAIT_SECONDS, plan.batch_ms / 1000)

    def _prepared(self, taken: Sequence[WaitingFrame]) -> list[PreparedFrame]:
        """The frames, ready for the model, without those of cameras that it does not see any more
        and those that cannot be cut up.
        """
        started = time.monotonic()
        views = self.plan().view_of
        frames = []
        for waiting in taken:
            if (view := views.get(waiting.frame.camera)) is not None:
                try:
                    frames.append(prepare(waiting, view, self.decodings))
                except InferenceError as err:
                    self.refuse(waiting.record, err)
        self._costs.append(time.monotonic() - started)
        return frames
