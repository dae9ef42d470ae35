"""What happened to one camera since the last summary, for its history."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from cameras.capture.state import Tracker
from sightline.messages.history import CaptureHistory, Quantiles
from sightline.telemetry.metrics import Durations

MAX_DELAYS: Final = 1024


class CaptureSummary:
    """Asked for by the worker every ten seconds, while the camera's thread goes on."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._before = tracker.status()
        self._since = time.monotonic()
        self._delays: deque[float] = deque(maxlen=MAX_DELAYS)
        self.durations = Durations()
        """Until Kafka had a picture, since the camera was taken."""

    def delivered(self, captured_at: int) -> None:
        """Kafka has the picture that was captured at this time (ns)."""
        seconds = (time.time_ns() - captured_at) / 1e9
        self._delays.append(seconds)
        self.durations.add(seconds)

    def take(self) -> CaptureHistory:
        """What has happened since the last time."""
        now, status, before = time.monotonic(), self._tracker.status(), self._before
        seconds, self._since, self._before = now - self._since, now, status
        # Taken out one by one, because delays may come in meanwhile.
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
