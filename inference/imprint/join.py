"""Joins a camera's frames with the predictions made on them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sightline.messages import Frame, Prediction

WAIT_SECONDS = 0.3
MAX_FRAMES = 32

Identity = tuple[int, int]


@dataclass(slots=True)
class Held:
    """A frame that waits, since when (monotonic seconds), and the predictions that have come for
    it.
    """

    frame: Frame
    since: float
    predictions: dict[str, Prediction] = field(default_factory=dict)


class Joiner:
    """One camera's frames in waiting. A frame leaves when every model in ``models`` has spoken, or
    after 300 ms with what has come.

    When a frame is complete, older ones that are not are dropped: the models skipped them, and
    pictures with and without boxes in turn would flicker.
    """

    def __init__(self, models: Iterable[str] = ()) -> None:
        self.models = frozenset(models)
        self._held: OrderedDict[Identity, Held] = OrderedDict()
        self._early: OrderedDict[Identity, dict[str, Prediction]] = OrderedDict()

    def add_frame(self, frame: Frame, now: float) -> None:
        """A frame came. More than 32 in waiting: the oldest is dropped."""
        identity = frame.seq, frame.captured_at
        self._held[identity] = Held(frame, now, self._early.pop(identity, {}))
        if len(self._held) > MAX_FRAMES:
            self._held.popitem(last=False)

    def add_prediction(self, prediction: Prediction) -> None:
        """A prediction came. It may overtake its frame, and then waits for it; one of a model
        that is not awaited is ignored.
        """
        if prediction.key not in self.models:
            return
        identity = prediction.frame.seq, prediction.frame.captured_at
        held = self._held.get(identity)
        place = held.predictions if held is not None else self._early.setdefault(identity, {})
        place[prediction.key] = prediction
        if len(self._early) > MAX_FRAMES:
            self._early.popitem(last=False)

    def ready(self, now: float) -> list[Held]:
        """Take the frames that need not wait any longer, oldest first."""
        complete = [
            identity
            for identity, held in self._held.items()
            if self.models <= held.predictions.keys()
        ]
        if complete:
            self._drop_incomplete_before(complete[-1])
        taken = [identity for identity, held in self._held.items() if self._due(held, now)]
        return [self._held.pop(identity) for identity in taken]

    def _due(self, held: Held, now: float) -> bool:
        return self.models <= held.predictions.keys() or now - held.since >= WAIT_SECONDS

    def _drop_incomplete_before(self, last: Identity) -> None:
        for identity in list(self._held):
            if identity == last:
                return
            if not self.models <= self._held[identity].predictions.keys():
                del self._held[identity]
