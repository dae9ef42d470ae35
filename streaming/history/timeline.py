"""Lays records of the history topics out on a regular grid of times, for charts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from sightline.messages.history import (
    HISTORY_SECONDS,
    OTHER,
    CaptureHistory,
    ModelHistory,
    Quantiles,
    most_frequent,
)

MILLISECONDS: Final = 1000
NANOSECONDS: Final = 1_000_000_000
# The seconds that one value stands for, by the longest span in minutes that it serves: no row has
# more than 720 values.
STEPS: Final = {120: HISTORY_SECONDS, 360: 60, 1440: 120}
MAX_MINUTES: Final = max(STEPS)
STAGES: Final = ("transport", "waiting", "model")

Row = list[Any]
History = TypeVar("History", CaptureHistory, ModelHistory)


@dataclass(frozen=True, slots=True)
class Grid:
    """``count`` times, ``step`` seconds apart, the first at ``begin`` (s since the epoch). A
    value stands for the step that begins at its time.
    """

    begin: int
    step: int
    count: int

    @classmethod
    def ending(cls, at: float, minutes: int) -> Grid:
        """The last ``minutes`` (1 to 1440) before ``at`` (s since the epoch), when every
        interval that has ended is published.
        """
        step = next(step for longest, step in STEPS.items() if minutes <= longest)
        known_until = int(at // HISTORY_SECONDS) * HISTORY_SECONDS
        end = -(-known_until // step) * step
        count = minutes * 60 // step
        return cls(end - count * step, step, count)

    @property
    def at(self) -> list[int]:
        """The times in ms since the epoch."""
        return [(self.begin + place * self.step) * MILLISECONDS for place in range(self.count)]

    def lay_out(self, histories: Iterable[History]) -> Columns[History]:
        """Each record in the step that the middle of its interval falls into."""
        cells: list[list[History]] = [[] for _ in range(self.count)]
        for item in histories:
            middle = item.at / NANOSECONDS - item.seconds / 2
            place = int((middle - self.begin) // self.step)
            if 0 <= place < self.count:
                cells[place].append(item)
        return Columns(cells)


@dataclass(frozen=True, slots=True)
class Columns(Generic[History]):
    """The records of each step. Every row has a value for each step, None where there is no
    record.
    """

    cells: list[list[History]]

    def row(self, value: Callable[[list[History]], Any]) -> Row:
        """One value for each step that has records."""
        return [value(cell) if cell else None for cell in self.cells]

    def total(self, name: str) -> Row:
        """A count."""
        return self.row(lambda cell: sum(getattr(item, name) for item in cell))

    def rate(self, name: str, factor: float = 1.0) -> Row:
        """A count a second, times ``factor``."""
        return self.row(
            lambda cell: round(
                factor * sum(getattr(item, name) for item in cell) / _covered(cell), 3
            )
        )

    def quantile(self, stage: str, name: str) -> Row:
        """``p50`` or ``p95`` of a stage in ms."""
        return self.row(
            lambda cell: _quantile(
                [found for item in cell if (found := getattr(item, stage)) is not None], name
            )
        )


def capture_rows(histories: Iterable[CaptureHistory], grid: Grid) -> dict[str, Row]:
    """What charts show of a camera's capture: rates a second, ``dropped`` frames a step,
    ``kafka`` in ms, the state at each step's end.
    """
    columns = grid.lay_out(histories)
    return {
        "fps": columns.rate("frames"),
        "dropped": columns.total("dropped"),
        "kbps": columns.rate("bytes_sent", 8 / 1000),
        "kafka_p50": columns.quantile("kafka", "p50"),
        "kafka_p95": columns.quantile("kafka", "p95"),
        "state": columns.row(lambda cell: str(max(cell, key=lambda item: item.at).state)),
    }


def model_rows(histories: Iterable[ModelHistory], grid: Grid) -> dict[str, Any]:
    """What charts show of a model: rates a second, durations in ms, and how often it saw each
    label in a step.
    """
    columns = grid.lay_out(histories)
    rates = {name: columns.rate(name) for name in ("predicted", "failed", "skipped", "errors")}
    durations = {
        f"{stage}_{name}": columns.quantile(stage, name)
        for stage in STAGES
        for name in ("p50", "p95")
    }
    return {**rates, **durations, "labels": label_rows(columns)}


def label_rows(columns: Columns[ModelHistory]) -> dict[str, Row]:
    """A row for each label that was seen, the most frequent first, no more than 20 and "other"."""
    counts: Counter[str] = Counter()
    for cell in columns.cells:
        for item in cell:
            counts.update(item.labels)
    kept = most_frequent(counts)
    ordered = sorted(kept, key=lambda label: (label == OTHER, -kept[label], label))
    return {label: columns.row(partial(_times_seen, label, kept)) for label in ordered}


def _times_seen(label: str, kept: Collection[str], cell: Iterable[ModelHistory]) -> int:
    if label != OTHER:
        return sum(item.labels.get(label, 0) for item in cell)
    return sum(
        count
        for item in cell
        for name, count in item.labels.items()
        if name == OTHER or name not in kept
    )


def _covered(cell: Sequence[CaptureHistory | ModelHistory]) -> float:
    """The seconds that the records of a step cover; those that several workers cover count once."""
    covered, until = 0.0, 0.0
    for begin, end in sorted(
        (item.at / NANOSECONDS - item.seconds, item.at / NANOSECONDS) for item in cell
    ):
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return max(covered, 0.001)


def _quantile(found: Sequence[Quantiles], name: str) -> float | None:
    """Over several workers or intervals: the middle one of the medians, the highest 95th
    percentile.
    """
    if not found:
        return None
    values = sorted(getattr(item, name) for item in found)
    return float(values[-1] if name == "p95" else values[len(values) // 2])
