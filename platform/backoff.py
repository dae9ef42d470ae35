"""Waiting longer after each failure, with jitter, so that what failed together does not come back together."""

from __future__ import annotations

import random


class Backoff:
    """Delays in seconds: ``first``, then doubling up to ``most``, each between half of it and all of it. ``reset`` after health."""

    def __init__(self, first: float = 1.0, most: float = 30.0) -> None:
        self.first = first
        self.most = most
        self.failures = 0

    def next(self) -> float:
        """The delay before the next try."""
        ceiling = min(self.most, self.first * (1 << min(self.failures, 16)))
        self.failures += 1
        return ceiling * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It works again."""
        self.failures = 0
