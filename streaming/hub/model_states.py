"""The states of the models that look at cameras: what workers report, and what a viewer has been
told of it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sightline.messages import ModelStatus, model_key
from streaming.hub.rates import Counters

STALE_SECONDS: Final = 5.0
FORGOTTEN_SECONDS: Final = 60.0

UNREPORTED: Final = "No inference worker reports this model."


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """How a model does on a camera. ``state`` is one of ModelState, or "unknown": nobody reports
    it; or "gone": it is not to look any more.
    """

    model: str
    version: str
    state: str
    detail: str
    since: int


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What one worker says of a model version. ``silent``: seconds since it was read. ``rates``:
    growth of its counts a second.
    """

    status: ModelStatus
    silent: float
    rates: dict[str, float]

    @property
    def stale(self) -> bool:
        """Whether the worker has been silent for too long to be believed."""
        return self.silent > STALE_SECONDS


@dataclass(frozen=True, slots=True)
class _LastReport:
    status: ModelStatus
    at: float
    counters: Counters


class ModelReports:
    """The newest report of each worker on each model version. Written by the hub's thread, read by
    all.

    A worker that has been silent for a minute is forgotten when another one reports the same
    model version.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, dict[str, _LastReport]] = {}

    def add(self, status: ModelStatus) -> frozenset[str]:
        """Record a report; returns the cameras whose models changed by it."""
        now = time.monotonic()
        with self._lock:
            workers = self._heard.setdefault(status.key, {})
            before = workers.get(status.worker)
            for worker in [
                worker for worker, heard in workers.items() if now - heard.at > FORGOTTEN_SECONDS
            ]:
                del workers[worker]
            counters = before.counters if before else Counters()
            counters.add(_counts(status), status.at / 1e9)
            workers[status.worker] = _LastReport(status, now, counters)
        if before is not None and _essence(before.status) == _essence(status):
            return frozenset()
        return frozenset(status.cameras) | frozenset(before.status.cameras if before else ())

    def remove(self, key: str) -> frozenset[str]:
        """Forget a model version that is no longer deployed; returns the cameras it looked at."""
        with self._lock:
            workers = self._heard.pop(key, {})
        return frozenset(camera for heard in workers.values() for camera in heard.status.cameras)

    def of(self, model: str, version: str) -> list[ModelReport]:
        """What each worker that was heard of in the last minute says of a model version."""
        now = time.monotonic()
        with self._lock:
            heard = [
                item
                for item in self._heard.get(model_key(model, version), {}).values()
                if now - item.at <= FORGOTTEN_SECONDS
            ]
            return [
                ModelReport(item.status, now - item.at, item.counters.rates())
                for item in sorted(heard, key=lambda item: item.status.worker)
            ]

    def by_worker(self) -> dict[str, list[str]]:
        """The model versions, like "qr 1", that each worker has told of lately."""
        now = time.monotonic()
        found: dict[str, list[str]] = defaultdict(list)
        with self._lock:
            for workers in self._heard.values():
                for item in workers.values():
                    if now - item.at <= STALE_SECONDS:
                        found[item.status.worker].append(
                            f"{item.status.model} {item.status.version}"
                        )
        return found

    def on(self, camera: str) -> dict[str, ModelSummary]:
        """The models that look at a camera, by their key: of several workers, the one that was
        heard of last counts.
        """
        with self._lock:
            found = {key: _newest(workers.values(), camera) for key, workers in self._heard.items()}
        now = time.monotonic()
        return {key: _said(heard, now) for key, heard in found.items() if heard is not None}


class ModelChanges:
    """What one viewer has been sent, so that only changes are sent."""

    def __init__(self, reports: ModelReports) -> None:
        self.reports = reports
        self._told: dict[str, dict[str, ModelSummary]] = {}

    def take(self, cameras: Iterable[str]) -> dict[ModelSummary, list[str]]:
        """Changed states of the models on these cameras, each with the cameras it concerns."""
        news: dict[ModelSummary, list[str]] = defaultdict(list)
        for camera in sorted(cameras):
            told, known = self._told.get(camera, {}), self.reports.on(camera)
            for key, said in known.items():
                if told.get(key) != said:
                    news[said].append(camera)
            for key in told.keys() - known.keys():
                news[_gone(told[key])].append(camera)
            self._told[camera] = known
        return news

    def forget(self, camera: str) -> None:
        """The viewer does not watch the camera any more."""
        self._told.pop(camera, None)


def _essence(status: ModelStatus) -> tuple[object, ...]:
    return status.state, status.detail, status.since, status.cameras


def _counts(status: ModelStatus) -> dict[str, int]:
    return {
        "predicted": status.predicted,
        "failed": status.failed,
        "errors": status.errors,
        "skipped": status.skipped,
    }


def _newest(heard: Iterable[_LastReport], camera: str) -> _LastReport | None:
    return max(
        (item for item in heard if camera in item.status.cameras),
        key=lambda item: item.at,
        default=None,
    )


def _said(heard: _LastReport, now: float) -> ModelSummary:
    status = heard.status
    if now - heard.at > STALE_SECONDS:
        return ModelSummary(status.model, status.version, "unknown", UNREPORTED, status.at)
    return ModelSummary(
        status.model, status.version, str(status.state), status.detail, status.since
    )


def _gone(said: ModelSummary) -> ModelSummary:
    return ModelSummary(said.model, said.version, "gone", "", time.time_ns())
