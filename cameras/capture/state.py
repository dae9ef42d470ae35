"""The state of one camera: written by the thread that reads it, read by the worker that reports
it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from enum import StrEnum

from cameras.capture.freeze import Fault
from sightline.messages import CameraState, CameraStatus, Cause

WINDOW_SECONDS = 5.0
DEGRADED_SHARE = 0.1
CONNECTING = "Connecting to the camera."
SILENT = "The camera holds the connection open but sends nothing."


class LossReason(StrEnum):
    """Why a frame was lost: not decodable or encodable, Kafka's queue full, too large for Kafka,
    or not confirmed by Kafka.
    """

    CORRUPT = "corrupt"
    QUEUE_FULL = "queue-full"
    TOO_LARGE = "too-large"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """What became of one frame: when (monotonic seconds), and whether it was lost."""

    at: float
    lost: bool


class CaptureState:
    """State, since when, why, and the counts of one camera. Thread-safe."""

    def __init__(self, camera: str, worker: str, fps: float) -> None:
        # A camera that sends a frame every ten seconds is not stalled after five.
        self.window_seconds = max(WINDOW_SECONDS, 3 / fps)
        self.changed = threading.Event()
        self._lock = threading.Lock()
        self._window: deque[FrameOutcome] = deque()
        self._losses: Counter[LossReason] = Counter()
        self._detail = ""
        self._fault: Fault | None = None
        now = time.time_ns()
        self._status = CameraStatus(
            camera, CameraState.CONNECTING, since=now, at=now, worker=worker, detail=CONNECTING
        )

    def enter(self, state: CameraState, detail: str, cause: Cause | None = None) -> bool:
        """Enter ``state``, one without frames. ``since`` stays if the camera was in it before.
        Returns whether state and detail are unchanged.
        """
        with self._lock:
            unchanged = (self._status.state, self._status.detail) == (state, detail)
            self._window.clear()
            self._fault = None
            self._enter(state, detail, cause)
        return unchanged

    def connecting(self) -> None:
        """An attempt begins. An earlier failure stays in view until frames come: operators want to
        see it.
        """
        with self._lock:
            if self._status.state.watchable:
                self._enter(CameraState.CONNECTING, CONNECTING)

    def frame_sent(self, width: int, height: int, size: int, codec: str) -> None:
        """A frame of ``size`` bytes is on its way to Kafka."""
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
            self._window.append(FrameOutcome(time.monotonic(), lost=False))
            if not self._status.state.watchable:
                self._judge()

    def frame_lost(self, detail: str, reason: LossReason = LossReason.CORRUPT) -> None:
        """A frame was unusable, or Kafka did not take it; ``detail`` is a plain sentence."""
        with self._lock:
            self._count(reason)
            self._window.append(FrameOutcome(time.monotonic(), lost=True))
            self._detail = detail

    def frame_undelivered(self, detail: str) -> None:
        """Kafka gave up on a frame that was counted as sent. The report comes late: it says nothing
        about a camera that has failed since.
        """
        with self._lock:
            watchable = self._status.state.watchable
        if watchable:
            self.frame_lost(detail, LossReason.UNDELIVERED)
        else:
            with self._lock:
                self._count(LossReason.UNDELIVERED)

    def losses(self) -> dict[LossReason, int]:
        """How many frames were lost, by reason."""
        with self._lock:
            return {reason: self._losses[reason] for reason in LossReason}

    def set_fault(self, fault: Fault | None) -> None:
        """What is wrong with the frames that come, if anything."""
        with self._lock:
            if fault != self._fault:
                self._fault = fault
                self._judge()

    def status(self) -> CameraStatus:
        """The state now, with the rate of the last seconds."""
        with self._lock:
            horizon = time.monotonic() - self.window_seconds
            while self._window and self._window[0].at < horizon:
                self._window.popleft()
            self._judge()
            return replace(self._status, at=time.time_ns(), fps=self._rate())

    def _count(self, reason: LossReason) -> None:
        self._losses[reason] += 1
        self._status = replace(self._status, dropped=self._status.dropped + 1)

    def _rate(self) -> float:
        sent = sum(not outcome.lost for outcome in self._window)
        span = (
            min(self.window_seconds, time.monotonic() - self._window[0].at) if self._window else 0.0
        )
        return round(sent / max(span, 1.0), 1)

    def _judge(self) -> None:
        """Derive the state from the last frames: none came, they show a fault, too many were lost,
        or all is well.
        """
        lost = sum(outcome.lost for outcome in self._window)
        if not self._window:
            if self._status.state.watchable:
                self._enter(CameraState.STALLED, SILENT, Cause.SILENT)
        elif self._fault is not None:
            self._enter(self._fault.state, self._fault.detail, self._fault.cause, self._fault.since)
        elif lost > len(self._window) * DEGRADED_SHARE:
            self._enter(
                CameraState.DEGRADED,
                f"{lost} of the last {len(self._window)} pictures were lost. {self._detail}",
            )
        else:
            self._enter(CameraState.LIVE, "")

    def _enter(
        self, state: CameraState, detail: str, cause: Cause | None = None, since: int = 0
    ) -> None:
        if state != self._status.state:
            self._status = replace(self._status, state=state, since=since or time.time_ns())
            self.changed.set()
        if (detail, cause or "") != (self._status.detail, self._status.cause):
            self._status = replace(self._status, detail=detail, cause=str(cause or ""))
