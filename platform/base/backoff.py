"""Waiting longer after each failure, with jitter, so that what failed together does not come
back together.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

MINUTE = 60.0


class Backoff:
    """Delays in seconds: ``first``, then doubling up to ``most``, each between half of it and all
    of it. ``reset`` after health.

    With ``a_minute`` no more tries than that begin in any minute, whatever was reset in between.
    """

    def __init__(
        self,
        first: float = 1.0,
        most: float = 30.0,
        *,
        a_minute: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.first = first
        self.most = most
        self.failures = 0
        self.clock = clock
        self._tries: deque[float] = deque(maxlen=a_minute)

    def next(self) -> float:
        """The delay before the next try."""
        ceiling = min(self.most, self.first * (1 << min(self.failures, 16)))
        self.failures += 1
        return self._gated(ceiling * random.uniform(0.5, 1.0))

    def _gated(self, delay: float) -> float:
        now = self.clock()
        if self._tries and len(self._tries) == self._tries.maxlen:
            delay = max(delay, self._tries[0] + MINUTE - now)
        self._tries.append(now + delay)
        return delay

    def reset(self) -> None:
        """It works again."""
        self.failures = 0
