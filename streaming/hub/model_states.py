"""The states of the models that look at cameras: the workers' reports, and what each viewer was
sent of them.
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
class CameraModelState:
    """The state of a model on a camera. ``state`` is one of ModelState, or "unknown" when no worker
    reports it, or "gone" when it was taken off the camera.
    """

    model: str
    version: str
    state: str
    detail: str
    since: int


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One worker's report on a model version. ``silent``: seconds since it was read. ``rates``: its
    counts per second.
    """

    status: ModelStatus
    silent: float
    rates: dict[str, float]

    @property
    def stale(self) -> bool:
        """Whether the report is too old to be current."""
        return self.silent > STALE_SECONDS


@dataclass(frozen=True, slots=True)
class _LastReport:
    status: ModelStatus
    at: float
    counters: Counters


class ModelReports:
    """The newest report of each worker on each model version. Written by the hub's thread, read by
    any.

    A worker that has been silent for a minute is forgotten when another one reports the same
    model version.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reports: dict[str, dict[str, _LastReport]] = {}

    def add(self, status: ModelStatus) -> frozenset[str]:
        """Record a report; returns the cameras whose models changed by it."""
        now = time.monotonic()
        with self._lock:
            workers = self._reports.setdefault(status.key, {})
            before = workers.get(status.worker)
            for worker in [
                worker for worker, last in workers.items() if now - last.at > FORGOTTEN_SECONDS
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
            workers = self._reports.pop(key, {})
        return frozenset(camera for last in workers.values() for camera in last.status.cameras)

    def of(self, model: str, version: str) -> list[ModelReport]:
        """The reports on a model version by each worker that reported in the last minute."""
        now = time.monotonic()
        with self._lock:
            recent = [
                item
                for item in self._reports.get(model_key(model, version), {}).values()
                if now - item.at <= FORGOTTEN_SECONDS
            ]
            return [
                ModelReport(item.status, now - item.at, item.counters.rates())
                for item in sorted(recent, key=lambda item: item.status.worker)
            ]

    def by_worker(self) -> dict[str, list[str]]:
        """The model versions, like "qr 1", that each worker reports now."""
        now = time.monotonic()
        found: dict[str, list[str]] = defaultdict(list)
        with self._lock:
            for workers in self._reports.values():
                for item in workers.values():
                    if now - item.at <= STALE_SECONDS:
                        found[item.status.worker].append(
                            f"{item.status.model} {item.status.version}"
                        )
        return found

    def on(self, camera: str) -> dict[str, CameraModelState]:
        """The models that look at a camera, by their key, each as the worker that reported last has
        it.
        """
        with self._lock:
            found = {
                key: _newest(workers.values(), camera) for key, workers in self._reports.items()
            }
        now = time.monotonic()
        return {key: _state_of(last, now) for key, last in found.items() if last is not None}


class ModelChanges:
    """What one viewer has been sent, so that only changes are sent."""

    def __init__(self, reports: ModelReports) -> None:
        self.reports = reports
        self._sent: dict[str, dict[str, CameraModelState]] = {}

    def take(self, cameras: Iterable[str]) -> dict[CameraModelState, list[str]]:
        """Changed states of the models on these cameras, each with the cameras it concerns."""
        changes: dict[CameraModelState, list[str]] = defaultdict(list)
        for camera in sorted(cameras):
            sent, known = self._sent.get(camera, {}), self.reports.on(camera)
            for key, state in known.items():
                if sent.get(key) != state:
                    changes[state].append(camera)
            for key in sent.keys() - known.keys():
                changes[_as_gone(sent[key])].append(camera)
            self._sent[camera] = known
        return changes

    def forget(self, camera: str) -> None:
        """The viewer does not watch the camera any more."""
        self._sent.pop(camera, None)


def _essence(status: ModelStatus) -> tuple[object, ...]:
    return status.state, status.detail, status.since, status.cameras


def _counts(status: ModelStatus) -> dict[str, int]:
    return {
        "predicted": status.predicted,
        "failed": status.failed,
        "errors": status.errors,
        "skipped": status.skipped,
    }


def _newest(reports: Iterable[_LastReport], camera: str) -> _LastReport | None:
    return max(
        (item for item in reports if camera in item.status.cameras),
        key=lambda item: item.at,
        default=None,
    )


def _state_of(last: _LastReport, now: float) -> CameraModelState:
    status = last.status
    if now - last.at > STALE_SECONDS:
        return CameraModelState(status.model, status.version, "unknown", UNREPORTED, status.at)
    return CameraModelState(
        status.model, status.version, str(status.state), status.detail, status.since
    )


def _as_gone(state: CameraModelState) -> CameraModelState:
    return CameraModelState(state.model, state.version, "gone", "", time.time_ns())
