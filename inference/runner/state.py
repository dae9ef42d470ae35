"""Keeps the state of one model version in one worker: written by the threads that run it, read
by the worker that reports it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sightline.messages import ModelState, ModelStatus
from sightline.messages.history import quantile_ms
from sightline.telemetry.metrics import Durations

LOADING: Final = "Loading the model."
WINDOW_SECONDS: Final = 10.0
MAX_LATENCIES: Final = 2048
HEALED_SECONDS: Final = 1.0
FAILURES_IN_A_ROW: Final = 3


class RunnerState:
    """State, since when, why, and the counts of one model version. Thread-safe.

    A model fails when its server is away, when it does not load, and when it has failed on
    several frames in a row; one broken frame says nothing about it. It runs again when it has
    answered and nothing has failed for a second, so that a server that answers now and then does
    not flicker. ``on_change`` is told, with the new status, whenever the state or the reason
    changes.
    """

    def __init__(
        self,
        model: str,
        version: str,
        worker: str = "",
        on_change: Callable[[ModelStatus], None] = lambda status: None,
    ) -> None:
        self.on_change = on_change
        self.calls = Durations()
        """Of the calls of the model that were answered."""
        self.dead_letters_unwritten = 0
        """Dead letters that Kafka did not take."""
        self.repeated = 0
        """Rounds of records that are done again because Kafka did not take their answers or dead
        letters.
        """
        self._lock = threading.Lock()
        self._latencies: deque[tuple[float, float]] = deque(maxlen=MAX_LATENCIES)
        self._in_a_row = 0
        self._answered_at = self._failed_at = float("-inf")
        now = time.time_ns()
        self._status = ModelStatus(
            model, version, ModelState.LOADING, since=now, at=now, detail=LOADING, worker=worker
        )

    @property
    def predicted(self) -> int:
        """Frames (or records) that got an answer."""
        return self._status.predicted

    @property
    def failed(self) -> int:
        """Those that became dead letters."""
        return self._status.failed

    @property
    def errors(self) -> int:
        """Those that got no answer through no fault of their own."""
        return self._status.errors

    @property
    def in_a_row(self) -> int:
        """Failures since the last answer."""
        return self._in_a_row

    def loading(self) -> None:
        """The model is being loaded. Why that failed before stays in view until it succeeds."""
        if self._status.state is not ModelState.FAILING:
            self._enter(ModelState.LOADING, LOADING)

    def unloadable(self, reason: str) -> None:
        """It did not load; ``reason`` is a plain sentence."""
        self._enter(ModelState.FAILING, reason)

    def loaded(self) -> None:
        """It is ready."""
        self._enter(ModelState.RUNNING, "")

    def predict(self, count: int, seconds: float | None) -> None:
        """``count`` frames were answered by a call that took so long; None: they could be
        answered without asking the model, which proves nothing.
        """
        now = time.monotonic()
        with self._lock:
            self._status = replace(self._status, predicted=self._status.predicted + count)
            if seconds is None:
                return
            self.calls.add(seconds)
            self._latencies.append((now, seconds))
            self._in_a_row = 0
            self._answered_at = now
        self._heal(now)

    def fail(self, reason: str, *, says_nothing: bool = False) -> None:
        """A frame failed, for a ``reason`` that may be its own; ``says_nothing``: it surely is,
        so nothing follows for the model.
        """
        with self._lock:
            self._status = replace(self._status, failed=self._status.failed + 1)
            if says_nothing:
                return
            self._in_a_row += 1
            self._failed_at = time.monotonic()
            broken = self._in_a_row >= FAILURES_IN_A_ROW
        if broken or self._status.state is ModelState.FAILING:
            self._enter(ModelState.FAILING, reason)

    def unwritten(self) -> None:
        """Kafka did not take a dead letter."""
        with self._lock:
            self.dead_letters_unwritten += 1

    def unavailable(self, count: int, reason: str) -> None:
        """``count`` frames got no answer because the model's server is away."""
        with self._lock:
            self._status = replace(self._status, errors=self._status.errors + count)
            self._failed_at = time.monotonic()
        self._enter(ModelState.FAILING, reason)

    def status(self, *, cameras: tuple[str, ...] = (), skipped: int = 0) -> ModelStatus:
        """The state now, with the latencies of the last seconds."""
        self._heal(time.monotonic())
        with self._lock:
            horizon = time.monotonic() - WINDOW_SECONDS
            latencies = sorted(seconds for at, seconds in self._latencies if at >= horizon)
            p50, p95 = (quantile_ms(latencies, share) for share in (0.50, 0.95))
            return replace(
                self._status,
                at=time.time_ns(),
                cameras=cameras,
                skipped=skipped,
                latency_p50=p50,
                latency_p95=p95,
            )

    def _heal(self, now: float) -> None:
        with self._lock:
            healed = self._answered_at > self._failed_at and now - self._failed_at >= HEALED_SECONDS
        if healed and self._status.state is ModelState.FAILING:
            self._enter(ModelState.RUNNING, "")

    def _enter(self, state: ModelState, detail: str) -> None:
        with self._lock:
            if (state, detail) == (self._status.state, self._status.detail):
                return
            since = self._status.since if state is self._status.state else time.time_ns()
            self._status = replace(
                self._status, state=state, detail=detail, since=since, at=time.time_ns()
            )
        self.on_change(self._status)
