"""Exponential back-off with jitter, so that what failed together does not retry together."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0


class Backoff:
    """Delays in seconds: ``first``, then doubling up to ``maximum``, each between half of it and
    all of it. Call ``reset`` after a success.

    With ``a_minute``, at most that many attempts begin in any minute, even if ``reset`` is
    called in between.
    """

    def __init__(
        self,
        first: float = 1.0,
        maximum: float = 30.0,
        *,
        a_minute: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.first = first
        self.maximum = maximum
        self.failures = 0
        self.clock = clock
        self._attempts: deque[float] = deque(maxlen=a_minute)

    def next(self) -> float:
        """The delay before the next attempt."""
        ceiling = min(self.maximum, self.first * (1 << min(self.failures, 16)))
        self.failures += 1
        return self._limited(ceiling * random.uniform(0.5, 1.0))

    def _limited(self, delay: float) -> float:
        now = self.clock()
        if self._attempts and len(self._attempts) == self._attempts.maxlen:
            delay = max(delay, self._attempts[0] + MINUTE - now)
        self._attempts.append(now + delay)
        return delay

    def reset(self) -> None:
        """Begin with ``first`` again."""
        self.failures = 0
