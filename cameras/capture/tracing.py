"""The spans of one frame in the capture worker."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sightline.telemetry import tracing
from sightline.telemetry.tracing import Trace


@dataclass(slots=True)
class FrameTrace:
    """A traced frame: until the worker took it (grab), until it was encoded (encode), until Kafka
    has it (produce).
    """

    trace: Trace
    since: int

    @classmethod
    def begin(cls, camera: str, seq: int, captured_at: int) -> FrameTrace | None:
        """Begin with a frame that the worker has taken; None if tracing is off."""
        trace = tracing.begin("capture", captured_at, camera=camera, seq=seq)
        if trace is None:
            return None
        now = time.time_ns()
        trace.part("grab", captured_at, now)
        return cls(trace, now)

    def encoded(self) -> str:
        """End the encoding; returns the header that goes with the frame."""
        now = time.time_ns()
        self.trace.part("encode", self.since, now)
        self.since = now
        return self.trace.parent

    def delivered(self, error: str) -> None:
        """End with the delivery to Kafka, or with its failure."""
        now = time.time_ns()
        self.trace.part("produce", self.since, now)
        self.trace.end(now, **({"error": error} if error else {}))
