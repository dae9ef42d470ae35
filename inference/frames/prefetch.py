"""Prepares the next frames while the model is busy with the last ones."""

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
class _ReadyBatch:
    """The frames of one call of the model, and since when they are ready (monotonic seconds)."""

    frames: list[PreparedFrame]
    since: float

    @property
    def cameras(self) -> frozenset[str]:
        return frozenset(frame.waiting.frame.camera for frame in self.frames)

    def is_old(self) -> bool:
        return time.monotonic() - self.since > OLD_SECONDS


class Prefetch:
    """Takes the latest frames and prepares them just before the model is free, no earlier: newer
    ones may come.

    It learns from the last picture how the model wants pictures decoded (colours, size).
    ``cameras`` gives the number of cameras: a batch does not wait for more frames than that.
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
        self._ready: deque[_ReadyBatch] = deque()
        self._taken_at = self._due = 0.0
        self._busy_seconds: deque[float] = deque(maxlen=REMEMBERED)
        self._prepare_seconds: deque[float] = deque(maxlen=REMEMBERED)

    def next(self, timeout: float) -> list[PreparedFrame]:
        """The next frames, for the model's thread; empty after ``timeout`` seconds."""
        with self._turn:
            if self._taken_at:
                self._busy_seconds.append(time.monotonic() - self._taken_at)
                self._taken_at = 0.0
            self._drop_old()
            if not self._turn.wait_for(lambda: bool(self._ready), timeout):
                return []
            frames = self._ready.popleft().frames
            self._taken_at = time.monotonic()
            self._due = self._taken_at + self._lead()
            self._turn.notify_all()
            return frames

    def _drop_old(self) -> None:
        """Drop prepared frames for newer ones when the model took longer than expected."""
        kept: deque[_ReadyBatch] = deque()
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
        """Whether to prepare another batch: one for a slow model, more for a quick one, which a
        moment's delay would leave idle.
        """
        quickest = min(self._busy_seconds, default=AHEAD_SECONDS)
        return len(self._ready) < max(1, min(MAX_READY, int(AHEAD_SECONDS / max(quickest, 1e-4))))

    def _lead(self) -> float:
        """Seconds from now until frames must be prepared: how long the model will be busy, less
        what preparing takes. Both are careful estimates, because the model must not wait.
        """
        if not (self._busy_seconds and self._prepare_seconds):
            return 0.0
        return (
            min(self._busy_seconds) - 2 * max(self._prepare_seconds) - self.plan().batch_ms / 1000
        )

    def run(self, stopping: threading.Event) -> None:
        """Prepare frames until told to stop."""
        while not stopping.is_set():
            with self._turn:
                if not self._turn.wait_for(self._has_room, WAIT_SECONDS):
                    continue
            if stopping.wait(max(0.0, self._due - time.monotonic())):
                return
            if taken := self._take():
                frames = self._prepare(taken)
                with self._turn:
                    self._ready += [_ReadyBatch(frames, time.monotonic())] if frames else []
                    self._turn.notify_all()

    def _take(self) -> list[WaitingFrame]:
        plan = self.plan()
        limit = max(1, min(plan.batch, self.cameras()))
        return self.latest.take(limit, WAIT_SECONDS, plan.batch_ms / 1000)

    def _prepare(self, taken: Sequence[WaitingFrame]) -> list[PreparedFrame]:
        """Prepare frames for the model; those of cameras that it does not see any more are dropped,
        those that cannot be cut are refused.
        """
        started = time.monotonic()
        deployments = self.plan().by_camera
        frames = []
        for waiting in taken:
            if (deployment := deployments.get(waiting.frame.camera)) is not None:
                try:
                    frames.append(prepare(waiting, deployment, self.decodings))
                except InferenceError as err:
                    self.refuse(waiting.record, err)
        self._prepare_seconds.append(time.monotonic() - started)
        return frames
