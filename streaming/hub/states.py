"""What the hub knows of Kafka and of each camera."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.messages import CameraStatus


@dataclass(frozen=True, slots=True)
class KafkaState:
    """Whether Kafka answers; ``known`` is False until the first answer or failure."""

    reachable: bool = True
    detail: str = ""
    known: bool = False


@dataclass(frozen=True, slots=True)
class CameraReport:
    """A camera's status and when it was read, in seconds of the monotonic clock."""

    status: CameraStatus
    read_at: float
