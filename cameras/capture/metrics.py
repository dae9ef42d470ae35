"""The metrics of a capture worker's cameras."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.core import Metric

from cameras.capture.state import LossReason
from sightline.messages import CameraState, CameraStatus
from sightline.telemetry.metrics import (
    STAGE,
    Durations,
    Family,
    one_of,
)

STATE: Final = Family(
    "gauge",
    "sightline_camera_state",
    "1 for the state that the camera is in, 0 for the others",
    ("camera", "state"),
)
FRAMES: Final = Family("counter", "sightline_camera_frames", "Pictures given to Kafka", ("camera",))
BYTES: Final = Family("counter", "sightline_camera_bytes", "Bytes of these pictures", ("camera",))
DROPPED: Final = Family(
    "counter",
    "sightline_camera_frames_dropped",
    "Pictures lost: corrupt; queue-full, Kafka's client took no more; too-large for Kafka;"
    " undelivered, not confirmed within 5 s",
    ("camera", "reason"),
)
FAMILIES: Final = (STATE, FRAMES, BYTES, DROPPED)


def camera_metrics(
    statuses: Sequence[CameraStatus],
    losses: Mapping[str, Mapping[LossReason, int]],
    durations: Mapping[str, Durations],
) -> Iterator[Metric]:
    """States and counts, frames lost by reason, and the time to Kafka, each by camera."""
    yield one_of(STATE, ((((status.camera,), status.state, CameraState)) for status in statuses))
    yield FRAMES.of(((status.camera,), status.frames) for status in statuses)
    yield BYTES.of(((status.camera,), status.bytes_sent) for status in statuses)
    yield DROPPED.of(
        ((camera, reason), count)
        for camera, counts in losses.items()
        for reason, count in counts.items()
    )
    yield STAGE.of(((camera, "", "", "kafka"), taken) for camera, taken in durations.items())
