"""Rest between attempts at something that may not help."""

from __future__ import annotations

import time

from sightline.base.backoff import Backoff


class Cooldown:
    """A rest after each attempt: ``first`` seconds, then longer up to ``longest``, until
    ``reset``.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._backoff = Backoff(first, longest)
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._until

    def start(self) -> None:
        self._until = time.monotonic() + self._backoff.next()

    def reset(self) -> None:
        self._until = 0.0
        self._backoff.reset()
