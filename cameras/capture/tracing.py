"""The spans of one frame in the capture worker."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sightline.telemetry import tracing
from sightline.telemetry.tracing import Trace


@dataclass(slots=True)
class FrameTrace:
    """Of a frame that is traced: from the decoder (grab), through the encoder (encode), until
    Kafka has it (produce).
    """

    whole: Trace
    since: int

    @classmethod
    def begin(cls, camera: str, seq: int, captured_at: int) -> FrameTrace | None:
        """The worker has taken the frame; None where tracing is off."""
        whole = tracing.begin("capture", captured_at, camera=camera, seq=seq)
        if whole is None:
            return None
        now = time.time_ns()
        whole.part("grab", captured_at, now)
        return cls(whole, now)

    def encoded(self) -> str:
        """The frame is encoded; the header that goes with it."""
        now = time.time_ns()
        self.whole.part("encode", self.since, now)
        self.since = now
        return self.whole.parent

    def delivered(self, error: str) -> None:
        """Kafka has the frame, or gave it up."""
        now = time.time_ns()
        self.whole.part("produce", self.since, now)
        self.whole.end(now, **({"error": error} if error else {}))
