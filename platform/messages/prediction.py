"""What one model version says about one frame, and its JSON in Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sightline.messages.frame import FrameRef
from sightline.messages.json import NUMBERS, dump, load, parsing, typed

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing a model saw: ``score`` in 0..1, ``box`` as x0, y0, x1, y1 in 0..1 of the
    frame's width and height.
    """

    label: str
    score: float
    box: Box | None = None
    text: str | None = None
    track: int | None = None

    def document(self) -> dict[str, Any]:
        """The detection as JSON; absent fields are left out."""
        values = (
            ("label", self.label),
            ("score", self.score),
            ("box", self.box),
            ("text", self.text),
            ("track", self.track),
        )
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True, slots=True)
class Timing:
    """When a frame was read from Kafka, and when the model began and finished it."""

    consumed_at: int
    started_at: int
    finished_at: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model version says about one frame; ``role`` is "live" or "shadow"."""

    camera: str
    model: str
    version: str
    role: str
    frame: FrameRef
    predictions: tuple[Detection, ...]
    timing: Timing

    @property
    def key(self) -> str:
        """The Kafka key: ``model@version``."""
        return f"{self.model}@{self.version}"

    def to_json(self) -> bytes:
        """The record's value."""
        return dump(self.document())

    def document(self) -> dict[str, Any]:
        """The prediction as JSON; absent fields of a detection are left out."""
        frame, timing = self.frame, self.timing
        return {
            "camera": self.camera,
            "model": self.model,
            "version": self.version,
            "role": self.role,
            "frame": {
                "seq": frame.seq,
                "captured_at": frame.captured_at,
                "width": frame.width,
                "height": frame.height,
                "offset": frame.offset,
            },
            "predictions": [item.document() for item in self.predictions],
            "timing": {
                "consumed_at": timing.consumed_at,
                "started_at": timing.started_at,
                "finished_at": timing.finished_at,
            },
        }

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Read a record of a predictions topic; MessageError when it is not one."""
        document = load(value)
        with parsing("a prediction"):
            document["frame"] = typed(FrameRef(**document["frame"]))
            document["timing"] = typed(Timing(**document["timing"]))
            document["predictions"] = tuple(_detection(item) for item in document["predictions"])
            return typed(cls(**document))


def _detection(item: Mapping[str, Any]) -> Detection:
    box = item.get("box")
    return typed(Detection(**{**item, "box": None if box is None else _box(box)}))


def _box(values: Any) -> Box:
    x0, y0, x1, y1 = values
    if not all(type(value) in NUMBERS for value in values):
        raise TypeError("a box is four numbers")
    return float(x0), float(y0), float(x1), float(y1)
