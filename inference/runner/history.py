"""What a model did since the last summary, for its history: on each camera, and on all together."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from inference.runner.state import ModelTracker
from sightline.messages import Prediction
from sightline.messages.history import (
    OTHER,
    ModelHistory,
    Quantiles,
    most_frequent,
)
from sightline.telemetry.metrics import Durations

MAX_DURATIONS: Final = 1024
MAX_LABELS_COUNTED: Final = 200


def _durations() -> deque[float]:
    return deque(maxlen=MAX_DURATIONS)


@dataclass(slots=True)
class _Tally:
    """Durations in seconds, by stage."""

    predicted: int = 0
    failed: int = 0
    errors: int = 0
    transport: deque[float] = field(default_factory=_durations)
    waiting: deque[float] = field(default_factory=_durations)
    model: deque[float] = field(default_factory=_durations)
    labels: Counter[str] = field(default_factory=Counter)

    def predict(self, prediction: Prediction, *, asked: bool) -> None:
        self.predicted += 1
        timing = prediction.timing
        # The clocks of two machines may differ by more than the way takes.
        self.transport.append(max(0, timing.consumed_at - prediction.frame.captured_at) / 1e9)
        if asked:
            self.waiting.append((timing.started_at - timing.consumed_at) / 1e9)
            self.model.append((timing.finished_at - timing.started_at) / 1e9)
        for item in prediction.predictions:
            known = item.label in self.labels or len(self.labels) < MAX_LABELS_COUNTED
            self.labels[item.label if known else OTHER] += 1


@dataclass(slots=True)
class Totals:
    """What was done on one camera since the lane was started: frames by what became of them, and
    how long they took.
    """

    predicted: int = 0
    failed: int = 0
    errors: int = 0
    transport: Durations = field(default_factory=Durations)
    waiting: Durations = field(default_factory=Durations)
    model: Durations = field(default_factory=Durations)
    age: Durations = field(default_factory=Durations)

    def predict(self, prediction: Prediction, *, asked: bool) -> None:
        """A frame was answered."""
        timing, captured_at = prediction.timing, prediction.frame.captured_at
        self.predicted += 1
        self.transport.add((timing.consumed_at - captured_at) / 1e9)
        self.age.add((timing.finished_at - captured_at) / 1e9)
        if asked:
            self.waiting.add((timing.started_at - timing.consumed_at) / 1e9)
            self.model.add((timing.finished_at - timing.started_at) / 1e9)


class ModelSummary:
    """Filled by the lane's threads, asked for by the worker every ten seconds. ``totals`` go on
    from the lane's start, by camera.
    """

    def __init__(self) -> None:
        self.totals: dict[str, Totals] = {}
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}
        self._skips: Counter[str] = Counter()
        self._since = time.monotonic()

    def predict(self, prediction: Prediction, *, asked: bool) -> None:
        """A frame was answered; not ``asked``: without the model, because there was nothing to
        show it.
        """
        with self._lock:
            self._tally(prediction.camera).predict(prediction, asked=asked)
            self._total(prediction.camera).predict(prediction, asked=asked)

    def fail(self, camera: str) -> None:
        """A frame became a dead letter."""
        with self._lock:
            self._tally(camera).failed += 1
            self._total(camera).failed += 1

    def unavailable(self, camera: str) -> None:
        """A frame got no answer because the model's server is away."""
        with self._lock:
            self._tally(camera).errors += 1
            self._total(camera).errors += 1

    def keep(self, cameras: Collection[str]) -> None:
        """Forget the totals of all other cameras."""
        with self._lock:
            self.totals = {
                camera: totals for camera, totals in self.totals.items() if camera in cameras
            }

    def _tally(self, camera: str) -> _Tally:
        return self._tallies.setdefault(camera, _Tally())

    def _total(self, camera: str) -> Totals:
        return self.totals.get(camera) or self.totals.setdefault(camera, Totals())

    def take(
        self, cameras: Iterable[str], skips: Mapping[str, int]
    ) -> tuple[dict[str, ModelHistory], ModelHistory]:
        """What has happened since the last time: by camera, and in all. ``skips``: frames
        skipped of each camera since the start.
        """
        with self._lock:
            tallies, self._tallies = self._tallies, {}
            now = time.monotonic()
            seconds, self._since = now - self._since, now
            skipped, self._skips = Counter(skips) - self._skips, Counter(skips)
        for camera in (*cameras, *skipped):
            tallies.setdefault(camera, _Tally())
        at = time.time_ns()
        by_camera = {
            camera: _history(at, seconds, [tally], skipped[camera])
            for camera, tally in tallies.items()
        }
        return by_camera, _history(at, seconds, tallies.values(), skipped.total())


def _history(at: int, seconds: float, tallies: Iterable[_Tally], skipped: int) -> ModelHistory:
    all_of_them = list(tallies)
    labels: Counter[str] = Counter()
    for tally in all_of_them:
        labels.update(tally.labels)
    return ModelHistory(
        at=at,
        seconds=round(seconds, 3),
        predicted=sum(tally.predicted for tally in all_of_them),
        failed=sum(tally.failed for tally in all_of_them),
        skipped=skipped,
        errors=sum(tally.errors for tally in all_of_them),
        transport=Quantiles.of(duration for tally in all_of_them for duration in tally.transport),
        waiting=Quantiles.of(duration for tally in all_of_them for duration in tally.waiting),
        model=Quantiles.of(duration for tally in all_of_them for duration in tally.model),
        labels=most_frequent(labels),
    )


class RecordSummary:
    """Of a model that takes records: from what its tracker counts anyway."""

    def __init__(self, tracker: ModelTracker) -> None:
        self._tracker = tracker
        self._before = tracker.status()
        self._since = time.monotonic()

    def take(self) -> ModelHistory:
        """What has happened since the last time."""
        now, status, before = time.monotonic(), self._tracker.status(), self._before
        seconds, self._since, self._before = now - self._since, now, status
        predicted = status.predicted - before.predicted
        return ModelHistory(
            at=status.at,
            seconds=round(seconds, 3),
            predicted=predicted,
            failed=status.failed - before.failed,
            skipped=0,
            errors=status.errors - before.errors,
            model=Quantiles(status.latency_p50, status.latency_p95) if predicted else None,
        )
