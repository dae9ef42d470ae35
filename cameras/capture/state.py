"""Keeps the state of one camera: written by the thread that reads it, read by the worker that
reports it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from enum import StrEnum

from cameras.capture.freeze import Fault
from sightline.messages import CameraState, CameraStatus

WINDOW_SECONDS = 5.0
DEGRADED_SHARE = 0.1
CONNECTING = "Connecting to the camera."
SILENT = "The camera holds the connection open but sends nothing."


class Loss(StrEnum):
    """Why a picture was lost: it could not be decoded or encoded, the queue to Kafka was full,
    it was too large, or Kafka did not confirm it.
    """

    CORRUPT = "corrupt"
    QUEUE_FULL = "queue-full"
    TOO_LARGE = "too-large"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Taken:
    """What happened to one picture: when (monotonic seconds), and whether it was lost."""

    at: float
    lost: bool


class Tracker:
    """State, since when, why, and the counts of one camera. Thread-safe."""

    def __init__(self, camera: str, worker: str, fps: float) -> None:
        # A camera that sends a picture every ten seconds is not stalled after five.
        self.window_seconds = max(WINDOW_SECONDS, 3 / fps)
        self.changed = threading.Event()
        self._lock = threading.Lock()
        self._window: deque[Taken] = deque()
        self._losses: Counter[Loss] = Counter()
        self._reason = ""
        self._fault: Fault | None = None
        now = time.time_ns()
        self._status = CameraStatus(
            camera, CameraState.CONNECTING, since=now, at=now, worker=worker, detail=CONNECTING
        )

    def enter(self, state: CameraState, detail: str) -> bool:
        """The camera is now in ``state``, one without pictures; ``since`` stays if it was
        before, too. Whether that was known already.
        """
        with self._lock:
            known = (self._status.state, self._status.detail) == (state, detail)
            self._window.clear()
            self._fault = None
            self._enter(state, detail)
        return known

    def connecting(self) -> None:
        """An attempt begins. What went wrong before stays in view until pictures come: the
        operator wants to know that.
        """
        with self._lock:
            if self._status.state.watchable:
                self._enter(CameraState.CONNECTING, CONNECTING)

    def took(self, width: int, height: int, size: int, codec: str) -> None:
        """A picture of ``size`` bytes went on its way."""
        with self._lock:
            frames, total = self._status.frames + 1, self._status.bytes_sent + size
            self._status = replace(
                self._status,
                frames=frames,
                bytes_sent=total,
                width=width,
                height=height,
                codec=codec,
            )
            self._window.append(Taken(time.monotonic(), lost=False))
            if not self._status.state.watchable:
                self._judge()

    def lost(self, reason: str, loss: Loss = Loss.CORRUPT) -> None:
        """A picture was unusable, or Kafka did not take it; ``reason`` is a plain sentence."""
        with self._lock:
            self._count(loss)
            self._window.append(Taken(time.monotonic(), lost=True))
            self._reason = reason

    def undelivered(self, reason: str) -> None:
        """Kafka gave up on a picture that was counted as taken. Such news comes late: it says
        nothing about a camera that has failed since.
        """
        with self._lock:
            watchable = self._status.state.watchable
        if watchable:
            self.lost(reason, Loss.UNDELIVERED)
        else:
            with self._lock:
                self._count(Loss.UNDELIVERED)

    def losses(self) -> dict[Loss, int]:
        """How many pictures were lost, by why."""
        with self._lock:
            return {loss: self._losses[loss] for loss in Loss}

    def shows(self, fault: Fault | None) -> None:
        """What is wrong with the pictures that come, by the newest look at one."""
        with self._lock:
            if fault != self._fault:
                self._fault = fault
                self._judge()

    def status(self) -> CameraStatus:
        """The state now, with the rate of the last seconds."""
        with self._lock:
            self._forget_old()
            self._judge()
            return replace(self._status, at=time.time_ns(), fps=self._rate())

    def _count(self, loss: Loss) -> None:
        self._losses[loss] += 1
        self._status = replace(self._status, dropped=self._status.dropped + 1)

    def _rate(self) -> float:
        taken = sum(not item.lost for item in self._window)
        span = (
            min(self.window_seconds, time.monotonic() - self._window[0].at) if self._window else 0.0
        )
        return round(taken / max(span, 1.0), 1)

    def _forget_old(self) -> None:
        horizon = time.monotonic() - self.window_seconds
        while self._window and self._window[0].at < horizon:
            self._window.popleft()

    def _judge(self) -> None:
        """From pictures to states: they come, they show nothing new, they come with losses, or
        they have ceased.
        """
        lost = sum(item.lost for item in self._window)
        if not self._window:
            if self._status.state.watchable:
                self._enter(CameraState.STALLED, SILENT)
        elif self._fault is not None:
            self._enter(self._fault.state, self._fault.detail, self._fault.since)
        elif lost > len(self._window) * DEGRADED_SHARE:
            self._enter(
                CameraState.DEGRADED,
                f"{lost} of the last {len(self._window)} pictures were lost. {self._reason}",
            )
        else:
            self._enter(CameraState.LIVE, "")

    def _enter(self, state: CameraState, detail: str, since: int = 0) -> None:
        if state != self._status.state:
            self._status = replace(self._status, state=state, since=since or time.time_ns())
            self.changed.set()
        if detail != self._status.detail:
            self._status = replace(self._status, detail=detail)
