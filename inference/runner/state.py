"""The state of one model version in one worker: the threads that run it write the state, the worker
reads and reports it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from sightline.messages import ModelState, ModelStatus
from sightline.messages.history import quantile_ms
from sightline.telemetry.metrics import Durations

LOADING: Final = "Loading the model."
WINDOW_SECONDS: Final = 10.0
MAX_LATENCIES: Final = 2048
HEALED_SECONDS: Final = 1.0
# How long a call may take before the state tells of it, unless calls usually take as long.
PATIENCE_SECONDS: Final = 4.0
FAILURES_IN_A_ROW: Final = 3


class RunnerState:
    """State, since when, why, and the counts of one model version. Thread-safe.

    A model is failing when its server is away, when it does not load, and when it has failed on
    several frames in a row; one broken frame says nothing about it. It is running again once it
    has predicted and nothing has failed for a second, so that the state does not flicker while a
    server works on and off. ``on_change`` is called with the new status whenever the state or the
    reason changes.
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
        """Durations of the model's successful calls."""
        self.dead_letters_unwritten = 0
        """Dead letters that Kafka did not take."""
        self.repeated = 0
        """Rounds of records repeated because Kafka did not take their results or dead letters."""
        self._lock = threading.Lock()
        self._latencies: deque[tuple[float, float]] = deque(maxlen=MAX_LATENCIES)
        self._in_a_row = 0
        self._called_at: float | None = None
        self._predicted_at = self._failed_at = float("-inf")
        now = time.time_ns()
        self._status = ModelStatus(
            model, version, ModelState.LOADING, since=now, at=now, detail=LOADING, worker=worker
        )

    @property
    def predicted(self) -> int:
        """Frames (or records) with a prediction."""
        return self._status.predicted

    @property
    def failed(self) -> int:
        """Frames (or records) that became dead letters."""
        return self._status.failed

    @property
    def errors(self) -> int:
        """Frames (or records) without a prediction because the model's server was away."""
        return self._status.errors

    @property
    def in_a_row(self) -> int:
        """Failures since the last prediction."""
        return self._in_a_row

    def loading(self) -> None:
        """The model is being loaded. The reason of an earlier failure stays until it succeeds."""
        if self._status.state is not ModelState.FAILING:
            self._enter(ModelState.LOADING, LOADING)

    def unloadable(self, reason: str) -> None:
        """The model did not load; ``reason`` is a plain sentence."""
        self._enter(ModelState.FAILING, reason)

    def loaded(self) -> None:
        """The model is ready."""
        self._enter(ModelState.RUNNING, "")

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Around a call of the model: one that does not come back is told of in the state."""
        self._called_at = time.monotonic()
        try:
            yield
        finally:
            self._called_at = None

    def add_predicted(self, count: int, seconds: float | None) -> None:
        """The model predicted on ``count`` frames in a call of ``seconds``; None: it was not
        called, so that nothing follows for its state.
        """
        now = time.monotonic()
        with self._lock:
            self._status = replace(self._status, predicted=self._status.predicted + count)
            if seconds is None:
                return
            self.calls.add(seconds)
            self._latencies.append((now, seconds))
            self._in_a_row = 0
            self._predicted_at = now
        self._heal(now)

    def add_failed(self, reason: str, *, inputs_fault: bool = False) -> None:
        """A frame failed. The fault may be the model's, unless it is the ``inputs_fault``: then
        nothing follows for the model's state.
        """
        with self._lock:
            self._status = replace(self._status, failed=self._status.failed + 1)
            if inputs_fault:
                return
            self._in_a_row += 1
            self._failed_at = time.monotonic()
            broken = self._in_a_row >= FAILURES_IN_A_ROW
        if broken or self._status.state is ModelState.FAILING:
            self._enter(ModelState.FAILING, reason)

    def add_unwritten(self) -> None:
        """Kafka did not take a dead letter."""
        with self._lock:
            self.dead_letters_unwritten += 1

    def add_unavailable(self, count: int, reason: str) -> None:
        """``count`` frames have no prediction because the model's server is away."""
        with self._lock:
            self._status = replace(self._status, errors=self._status.errors + count)
            self._failed_at = time.monotonic()
        self._enter(ModelState.FAILING, reason)

    def status(self, *, cameras: tuple[str, ...] = (), skipped: int = 0) -> ModelStatus:
        """The state now, with the latencies of the last seconds."""
        self._note_hung_call(time.monotonic())
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

    def _note_hung_call(self, now: float) -> None:
        called_at = self._called_at
        if called_at is None:
            return
        with self._lock:
            slowest = max((seconds for _, seconds in self._latencies), default=0.0)
        patience = max(PATIENCE_SECONDS, 3 * slowest)
        if now - called_at > patience:
            self.add_unavailable(
                0, f"The model has not come back from a call for more than {patience:.0f} s."
            )

    def _heal(self, now: float) -> None:
        with self._lock:
            healed = (
                self._predicted_at > self._failed_at and now - self._failed_at >= HEALED_SECONDS
            )
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
