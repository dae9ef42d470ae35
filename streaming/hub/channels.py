"""What a viewer can follow: a camera's pictures, its annotated pictures, its predictions, its
status, its models' states.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from sightline.kafka import topics
from sightline.kafka.topics import Topic


class Kind(StrEnum):
    """What of a camera is followed."""

    FRAMES = "frames"
    ANNOTATED = "annotated"
    PREDICTIONS = "predictions"
    STATUS = "status"
    MODELS = "models"


class Channel(NamedTuple):
    """One kind of news of one camera. A tuple, because it is looked up for every viewer of every
    frame.
    """

    camera: str
    kind: Kind

    @property
    def topic(self) -> Topic:
        """Where it is read; statuses of all cameras and models share a topic."""
        match self.kind:
            case Kind.FRAMES:
                return topics.frames(self.camera)
            case Kind.ANNOTATED:
                return topics.annotated(self.camera)
            case Kind.PREDICTIONS:
                return topics.predictions(self.camera)
            case Kind.STATUS | Kind.MODELS:
                return topics.status()
