"""A circuit breaker: what failed several times in a row is left alone for a while, then tried once.

The pattern is Michael Nygard's (Release It!, chapter "Stability Patterns").
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from sightline.base.backoff import Backoff

FAILURES_TO_OPEN: Final = 5
FIRST_SECONDS: Final = 1.0
# One call in so long costs an ailing server little, and one that was mended is used again within 10
# s, however long it was away.
MAX_SECONDS: Final = 8.0


class BreakerState(StrEnum):
    """CLOSED: calls go through. OPEN: they fail at once. HALF_OPEN: the next one is let through
    to see.
    """

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Counts failures in a row. After each ``admit`` that returns True, call ``succeeded``,
    ``failed`` or ``left``; any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._backoff = Backoff(FIRST_SECONDS, MAX_SECONDS)
        self._refused = Backoff(FIRST_SECONDS, FIRST_SECONDS)
        self._failures = 0
        self._open_until = 0.0
        self._trying = False

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._failures < FAILURES_TO_OPEN:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.retry_after > 0 else BreakerState.HALF_OPEN

    @property
    def retry_after(self) -> float:
        """Seconds until a call is let through again; 0 when one is."""
        if self._failures < FAILURES_TO_OPEN:
            return 0.0
        return max(0.0, self._open_until - self._clock())

    def admit(self) -> bool:
        """Whether a call may be made now; of those that come while it is half open, one."""
        with self._lock:
            if self.state is BreakerState.HALF_OPEN and not self._trying:
                self._trying = True
                return True
            return self.state is BreakerState.CLOSED

    def succeeded(self) -> None:
        """The call was answered."""
        with self._lock:
            self._failures = 0
            self._trying = False
            self._backoff.reset()

    def failed(self, *, refused: bool = False) -> None:
        """The call was not answered, or not usefully. When it was ``refused`` at once, asking
        again soon costs nothing.
        """
        with self._lock:
            self._failures += 1
            self._trying = False
            if self._failures >= FAILURES_TO_OPEN:
                self._open_until = (
                    self._clock() + (self._refused if refused else self._backoff).next()
                )

    def left(self) -> None:
        """The call ended without a result for or against the server."""
        with self._lock:
            self._trying = False
