"""What was sent to viewers, counted by camera and by the way it goes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sightline.messages import Frame
from sightline.messages.history import OTHER
from sightline.telemetry.metrics import Durations

# A camera that nobody has watched for so long is forgotten, and a removed one with it.
FORGOTTEN_SECONDS: Final = 600.0
MAX_CAMERAS: Final = 2000


class Way(StrEnum):
    """How frames reach a viewer: over the wall's socket, or as an MJPEG stream."""

    WALL = "wall"
    STREAM = "stream"


@dataclass(slots=True)
class DeliveryCounts:
    """Of one camera in one way: ``age``, seconds since capture when it was sent; ``at``, when it
    was last sent (monotonic seconds).
    """

    frames: int = 0
    bytes: int = 0
    at: float = 0.0
    age: Durations = field(default_factory=Durations)


class Deliveries:
    """Written by the event loop, read by the scrape. Beyond 2,000 cameras, the rest counts
    together as "other".
    """

    def __init__(self) -> None:
        self._deliveries: dict[tuple[str, Way], DeliveryCounts] = {}

    def sent(self, way: Way, frame: Frame, size: int) -> None:
        """A viewer's connection took the frame, in ``size`` bytes."""
        delivery = self._deliveries.get((frame.camera, way)) or self._new(frame.camera, way)
        delivery.frames += 1
        delivery.bytes += size
        delivery.at = time.monotonic()
        delivery.age.add((time.time_ns() - frame.captured_at) / 1e9)

    def all(self) -> dict[tuple[str, Way], DeliveryCounts]:
        """Those of the last ten minutes."""
        horizon = time.monotonic() - FORGOTTEN_SECONDS
        for key, delivery in list(self._deliveries.items()):
            if delivery.at < horizon:
                self._deliveries.pop(key, None)
        return dict(self._deliveries)

    def _new(self, camera: str, way: Way) -> DeliveryCounts:
        known = camera if len(self._deliveries) < MAX_CAMERAS * len(Way) else OTHER
        # Set `at` on creation: `all` drops entries that look old.
        return self._deliveries.setdefault((known, way), DeliveryCounts(at=time.monotonic()))
