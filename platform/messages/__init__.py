"""What travels through Kafka: dataclasses, and their bytes and headers.

Times are integers, nanoseconds since the epoch. A frame is identified by ``(seq, captured_at)``:
``seq`` starts again when a capture worker starts again, ``captured_at`` never repeats.
"""

from __future__ import annotations

from sightline.messages.dead_letter import DeadLetter
from sightline.messages.frame import Frame, FrameRef
from sightline.messages.json import MessageError
from sightline.messages.prediction import Box, Detection, Prediction, Timing
from sightline.messages.status import (
    CameraState,
    CameraStatus,
    Cause,
    ModelState,
    ModelStatus,
    WorkerStatus,
    model_key,
    worker_key,
)

__all__ = [
    "Box",
    "CameraState",
    "CameraStatus",
    "Cause",
    "DeadLetter",
    "Detection",
    "Frame",
    "FrameRef",
    "MessageError",
    "ModelState",
    "ModelStatus",
    "Prediction",
    "Timing",
    "WorkerStatus",
    "model_key",
    "worker_key",
]
