"""The spans of a traced frame in the web process: on its way to a viewer, and until the viewer's
page shows it.
"""

from __future__ import annotations

import time
from typing import Final

from sightline.telemetry import tracing
from streaming.hub.deliveries import Way
from streaming.hub.scaled_frame import LiveFrame

MAX_WAITING: Final = 64


def delivered(live: LiveFrame, way: Way) -> str:
    """Record that a viewer's connection took the frame; returns the parent span of its paint."""
    frame = live.frame
    trace = tracing.follow(
        frame.trace, "deliver", live.read_at, camera=frame.camera, seq=frame.seq, way=way
    )
    if trace is None:
        return ""
    trace.end(time.time_ns())
    return trace.parent


class Painting:
    """The traced frames that one viewer was sent and has not shown yet, by camera and number; of
    too many, the oldest are forgotten.
    """

    def __init__(self) -> None:
        self._sent: dict[tuple[str, int], tuple[str, int]] = {}

    def sent(self, live: LiveFrame) -> None:
        """Remember a traced frame that the viewer was sent."""
        if parent := delivered(live, Way.WALL):
            self._sent[live.frame.camera, live.frame.seq] = parent, time.time_ns()
            if len(self._sent) > MAX_WAITING:
                del self._sent[next(iter(self._sent))]

    def painted(self, camera: str, seq: int, at: int) -> None:
        """End the paint span at ``at``, clamped between the sending and now."""
        parent, sent_at = self._sent.pop((camera, seq), ("", 0))
        if (trace := tracing.follow(parent, "paint", sent_at, camera=camera, seq=seq)) is not None:
            trace.end(min(max(at, sent_at), time.time_ns()))
