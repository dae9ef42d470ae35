"""Records what happened to one camera between two history records."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from cameras.capture.state import CaptureState
from sightline.messages.history import CaptureHistory, Quantiles
from sightline.telemetry.metrics import Durations

MAX_DELAYS: Final = 1024


class CaptureHistoryRecorder:
    """Filled by the delivery reports; the worker takes a record every ten seconds."""

    def __init__(self, state: CaptureState) -> None:
        self._state = state
        self._before = state.status()
        self._since = time.monotonic()
        self._delays: deque[float] = deque(maxlen=MAX_DELAYS)
        self.durations = Durations()
        """From capture until Kafka had the frame, since the reader started."""

    def delivered(self, captured_at: int) -> None:
        """Kafka has the frame that was captured at this time (ns)."""
        seconds = (time.time_ns() - captured_at) / 1e9
        self._delays.append(seconds)
        self.durations.add(seconds)

    def take(self) -> CaptureHistory:
        """What has happened since the last call."""
        now, status, before = time.monotonic(), self._state.status(), self._before
        seconds, self._since, self._before = now - self._since, now, status
        # Pop one by one: delays may arrive meanwhile.
        delays = [self._delays.popleft() for _ in range(len(self._delays))]
        return CaptureHistory(
            at=status.at,
            seconds=round(seconds, 3),
            frames=status.frames - before.frames,
            dropped=status.dropped - before.dropped,
            bytes_sent=status.bytes_sent - before.bytes_sent,
            state=status.state,
            kafka=Quantiles.of(delays),
        )
