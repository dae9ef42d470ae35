"""The ledger of a runner: counts and durations by camera, for its history and Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from inference.runner.state import RunnerState
from sightline.messages import Prediction
from sightline.messages.history import OTHER, ModelHistory, Quantiles, most_frequent
from sightline.telemetry.metrics import Durations

MAX_RECENT: Final = 1024
MAX_LABELS: Final = 200


class Stage:
    """How long one stage took: since the start, and since the last history record."""

    __slots__ = ("recent", "total")

    def __init__(self) -> None:
        self.total = Durations()
        self.recent: deque[float] = deque(maxlen=MAX_RECENT)

    def add(self, seconds: float) -> None:
        self.total.add(seconds)
        self.recent.append(max(0.0, seconds))  # two machines' clocks may differ


@dataclass(slots=True)
class Counts:
    """Frames by what became of them."""

    predicted: int = 0
    failed: int = 0
    errors: int = 0

    def since(self, before: Counts) -> Counts:
        """What was added since ``before``."""
        return Counts(*(getattr(self, x.name) - getattr(before, x.name) for x in fields(self)))


@dataclass(slots=True)
class CameraLedger:
    """What the model did on one camera since the runner started."""

    counts: Counts = field(default_factory=Counts)
    transport: Stage = field(default_factory=Stage)
    waiting: Stage = field(default_factory=Stage)
    model: Stage = field(default_factory=Stage)
    age: Stage = field(default_factory=Stage)
    labels: Counter[str] = field(default_factory=Counter)
    """Labels since the last history record."""
    reported: Counts = field(default_factory=Counts)
    """The counts at the last history record."""

    def add_prediction(self, prediction: Prediction, *, model_called: bool) -> None:
        """Note a prediction. Without ``model_called`` it was made without the model, because a
        first stage found nothing for it: then only its transport and age are durations.
        """
        timing, captured_at = prediction.timing, prediction.frame.captured_at
        self.counts.predicted += 1
        self.transport.add((timing.consumed_at - captured_at) / 1e9)
        self.age.add((timing.finished_at - captured_at) / 1e9)
        if model_called:
            self.waiting.add((timing.started_at - timing.consumed_at) / 1e9)
            self.model.add((timing.finished_at - timing.started_at) / 1e9)
        for item in prediction.predictions:
            known = item.label in self.labels or len(self.labels) < MAX_LABELS
            self.labels[item.label if known else OTHER] += 1


class FrameHistory:
    """The ledgers of all cameras: the runner's threads write them, the worker reads them every ten
    seconds, and Prometheus when it scrapes.
    """

    def __init__(self) -> None:
        self.cameras: dict[str, CameraLedger] = {}
        self._lock = threading.Lock()
        self._skips: Counter[str] = Counter()
        self._since = time.monotonic()

    def add_prediction(self, prediction: Prediction, *, model_called: bool) -> None:
        """Note a prediction; see ``CameraLedger.add_prediction``."""
        with self._lock:
            self._ledger(prediction.camera).add_prediction(prediction, model_called=model_called)

    def add_failed(self, camera: str) -> None:
        """Note a frame that became a dead letter."""
        with self._lock:
            self._ledger(camera).counts.failed += 1

    def add_unavailable(self, camera: str) -> None:
        """Note a frame without a prediction because the model's server is away."""
        with self._lock:
            self._ledger(camera).counts.errors += 1

    def keep(self, cameras: Collection[str]) -> None:
        """Forget all other cameras."""
        with self._lock:
            self.cameras = {name: item for name, item in self.cameras.items() if name in cameras}

    def _ledger(self, camera: str) -> CameraLedger:
        return self.cameras.get(camera) or self.cameras.setdefault(camera, CameraLedger())

    def take(
        self, cameras: Iterable[str], skips: Mapping[str, int]
    ) -> tuple[dict[str, ModelHistory], ModelHistory]:
        """The history since the last call, by camera and in all.

        ``skips``: the frames of each camera that were skipped since the start.
        """
        with self._lock:
            now = time.monotonic()
            seconds, self._since = now - self._since, now
            skipped, self._skips = Counter(skips) - self._skips, Counter(skips)
            at = time.time_ns()
            busy = (name for name, item in self.cameras.items() if item.counts != item.reported)
            by_camera = {
                camera: _history(
                    at, seconds, [self.cameras.get(camera) or CameraLedger()], skipped[camera]
                )
                for camera in {*cameras, *skipped, *busy}
            }
            in_all = _history(at, seconds, self.cameras.values(), skipped.total())
            for ledger in self.cameras.values():
                _close_interval(ledger)
        return by_camera, in_all


def _close_interval(ledger: CameraLedger) -> None:
    ledger.reported = Counts(*(getattr(ledger.counts, x.name) for x in fields(Counts)))
    ledger.labels.clear()
    for stage in (ledger.transport, ledger.waiting, ledger.model, ledger.age):
        stage.recent.clear()


def _history(
    at: int, seconds: float, ledgers: Collection[CameraLedger], skipped: int
) -> ModelHistory:
    counts = [ledger.counts.since(ledger.reported) for ledger in ledgers]
    labels: Counter[str] = Counter()
    for ledger in ledgers:
        labels.update(ledger.labels)
    return ModelHistory(
        at=at,
        seconds=round(seconds, 3),
        predicted=sum(item.predicted for item in counts),
        failed=sum(item.failed for item in counts),
        skipped=skipped,
        errors=sum(item.errors for item in counts),
        transport=Quantiles.of(value for item in ledgers for value in item.transport.recent),
        waiting=Quantiles.of(value for item in ledgers for value in item.waiting.recent),
        model=Quantiles.of(value for item in ledgers for value in item.model.recent),
        labels=most_frequent(labels),
    )


class RecordHistory:
    """The history of a record stream, from the counts of its state."""

    def __init__(self, state: RunnerState) -> None:
        self._state = state
        self._before = state.status()
        self._since = time.monotonic()

    def take(self) -> ModelHistory:
        """The history since the last call."""
        now, status, before = time.monotonic(), self._state.status(), self._before
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
