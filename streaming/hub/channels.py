"""What a viewer can follow of a camera: frames, annotated frames, predictions, status, and its
models' states.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from sightline.kafka import topics
from sightline.kafka.topics import Topic


class ChannelKind(StrEnum):
    """What of a camera is followed."""

    FRAMES = "frames"
    ANNOTATED = "annotated"
    PREDICTIONS = "predictions"
    STATUS = "status"
    MODELS = "models"


class Channel(NamedTuple):
    """Updates of one kind about one camera. A tuple: every frame looks it up for every viewer."""

    camera: str
    kind: ChannelKind

    @property
    def topic(self) -> Topic:
        """Where it is read; statuses of all cameras and models share a topic."""
        match self.kind:
            case ChannelKind.FRAMES:
                return topics.frames(self.camera)
            case ChannelKind.ANNOTATED:
                return topics.annotated(self.camera)
            case ChannelKind.PREDICTIONS:
                return topics.predictions(self.camera)
            case ChannelKind.STATUS | ChannelKind.MODELS:
                return topics.status()
