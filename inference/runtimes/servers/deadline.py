"""One point in time by which a call and all its parts must be over."""

from __future__ import annotations

import time


class Deadline:
    """``seconds`` from now."""

    __slots__ = ("_at", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left, below zero once it has passed."""
        return self._at - time.monotonic()

    def need(self) -> float:
        """Seconds left; TimeoutError when there are none."""
        left = self.left
        if left <= 0:
            raise TimeoutError
        return left

    def within(self, seconds: float) -> Deadline:
        """The earlier of this one and ``seconds`` from now."""
        return Deadline(min(seconds, self.left))
