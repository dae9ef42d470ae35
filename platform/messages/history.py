"""What workers did in the last ten seconds, as it travels in the history topics: dataclasses and
their JSON.

Each record stands for the ``seconds`` that end ``at`` (ns since the epoch). Intervals end at
whole tens of seconds of the wall clock, so that those of several workers lie side by side; an
interval is shorter when its worker began or ended within it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final, Self

from sightline.messages.json import (
    counts,
    dump,
    load,
    parsing,
    typed,
    without_none,
)
from sightline.messages.status import CameraState

HISTORY_SECONDS: Final = 10
MAX_LABELS: Final = 20
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """The median and the 95th percentile of durations, in ms."""

    p50: float
    p95: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self | None:
        """Of durations in seconds; None when there are none."""
        ordered = sorted(seconds)
        return cls(quantile_ms(ordered, 0.50), quantile_ms(ordered, 0.95)) if ordered else None


def quantile_ms(ordered: Sequence[float], share: float) -> float:
    """The quantile of durations in seconds, smallest first, in ms; 0.0 when there are none."""
    return (
        round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)
        if ordered
        else 0.0
    )


@dataclass(frozen=True, slots=True)
class CaptureHistory:
    """What a capture worker did for one camera: frames that it sent, their ``bytes_sent``, and
    frames that were lost (``dropped``).

    ``kafka``: from the moment of capture until Kafka had the frame. ``state``: the camera's at
    the end.
    """

    KEY: ClassVar = "capture"

    at: int
    seconds: float
    frames: int
    dropped: int
    bytes_sent: int
    state: CameraState
    kafka: Quantiles | None = None

    def to_json(self) -> bytes:
        """The record's value; what was not measured is left out."""
        return dump(without_none(asdict(self)))

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Read a ``capture`` record of a camera's history; MessageError when it is not one."""
        document = load(value)
        with parsing("a camera's history"):
            document["state"] = CameraState(document["state"])
            document["kafka"] = _quantiles(document.get("kafka"))
            return typed(cls(**document))


@dataclass(frozen=True, slots=True)
class ModelHistory:
    """What one model version did, on one camera, or on all that one worker gives it.

    Counts of frames (or records): ``predicted``; ``failed``, which became dead letters;
    ``skipped``, never given to the model; ``errors``, without an answer because the model's server
    was away. Durations: ``transport`` from capture until the frame was read from Kafka, ``waiting``
    until the model began, ``model`` until it was done. ``labels``: how many of each it saw, the
    most frequent 20, the rest as "other".
    """

    at: int
    seconds: float
    predicted: int
    failed: int
    skipped: int
    errors: int
    transport: Quantiles | None = None
    waiting: Quantiles | None = None
    model: Quantiles | None = None
    labels: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The record's value; what was not measured is left out."""
        return dump(without_none(asdict(self)))

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Read a model's record in a history topic; MessageError when it is not one."""
        document = load(value)
        with parsing("a model's history"):
            stages = {
                name: _quantiles(document.get(name)) for name in ("transport", "waiting", "model")
            }
            return typed(cls(**{**document, **stages, "labels": counts(document["labels"])}))


def most_frequent(labels: Mapping[str, int]) -> dict[str, int]:
    """The 20 most frequent labels with their counts, and the sum of the rest as "other"."""
    if len(labels) <= MAX_LABELS:
        return dict(labels)
    kept = dict(
        Counter({label: count for label, count in labels.items() if label != OTHER}).most_common(
            MAX_LABELS
        )
    )
    return kept | {OTHER: sum(labels.values()) - sum(kept.values())}


class Interval:
    """Tells when an interval of the history ends: at whole tens of seconds of the wall clock."""

    def __init__(self) -> None:
        self._number = _number_now()

    def over(self) -> bool:
        """Whether an interval has ended since this last returned True."""
        before, self._number = self._number, _number_now()
        return self._number != before


def _number_now() -> int:
    return int(time.time() // HISTORY_SECONDS)


def _quantiles(document: Any) -> Quantiles | None:
    return None if document is None else typed(Quantiles(**document))
