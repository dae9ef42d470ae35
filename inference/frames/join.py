"""Joins a camera's frames with the predictions on them; both come from Kafka in any order."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from sightline.messages import Frame, FrameRef, Prediction

MAX_FRAMES: Final = 32

Identity = tuple[int, int]
Item = TypeVar("Item")


@dataclass(slots=True)
class JoinedFrame(Generic[Item]):
    """An item for a frame, since when it waits (monotonic seconds), and the frame's predictions so
    far, by ``model@version``.
    """

    item: Item
    since: float
    predictions: dict[str, Prediction] = field(default_factory=dict)


class FrameJoiner(Generic[Item]):
    """The newest 32 frames of a camera that wait for predictions.

    A frame leaves when every model in ``models`` has predicted on it, or after ``wait`` seconds
    with the predictions so far. A complete frame drops older, incomplete ones: models take a
    camera's frames in order and skip some, and boxes would flicker if those were shown, too.
    """

    def __init__(self, models: Iterable[str] = (), wait: float = math.inf) -> None:
        self.models = frozenset(models)
        self.wait = wait
        self._frames: OrderedDict[Identity, JoinedFrame[Item]] = OrderedDict()
        self._early: OrderedDict[Identity, dict[str, Prediction]] = OrderedDict()

    def add_frame(self, frame: Frame, item: Item, now: float) -> None:
        """Let ``item`` wait for the predictions on ``frame``; the oldest of too many is dropped."""
        identity = _identity(frame)
        self._frames[identity] = JoinedFrame(item, now, self._early.pop(identity, {}))
        if len(self._frames) > MAX_FRAMES:
            self._frames.popitem(last=False)

    def add_prediction(self, prediction: Prediction) -> None:
        """Add a prediction. One that overtakes its frame waits for it; one of a model that is not
        in ``models`` is ignored.
        """
        if prediction.key not in self.models:
            return
        identity = _identity(prediction.frame)
        waiting = self._frames.get(identity)
        predictions = waiting.predictions if waiting else self._early.setdefault(identity, {})
        predictions[prediction.key] = prediction
        if len(self._early) > MAX_FRAMES:
            self._early.popitem(last=False)

    def ready(self, now: float) -> list[JoinedFrame[Item]]:
        """Take the frames that need not wait longer, oldest first."""
        complete = [identity for identity in self._frames if self._is_complete(identity)]
        if complete:
            self._drop_incomplete_before(complete[-1])
        due = [
            identity
            for identity, waiting in self._frames.items()
            if self._is_complete(identity) or now - waiting.since >= self.wait
        ]
        return [self._frames.pop(identity) for identity in due]

    def _is_complete(self, identity: Identity) -> bool:
        return self.models <= self._frames[identity].predictions.keys()

    def _drop_incomplete_before(self, last: Identity) -> None:
        for identity in list(self._frames):
            if identity == last:
                return
            if not self._is_complete(identity):
                del self._frames[identity]


def _identity(frame: Frame | FrameRef) -> Identity:
    return frame.seq, frame.captured_at
