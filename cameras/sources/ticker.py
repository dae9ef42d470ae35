"""A steady beat that does not drift and that the stop event ends at once."""

from __future__ import annotations

import threading
import time


class Pacer:
    """`wait()` returns at each beat of `fps`. Beats missed by more than one period are dropped, not caught up."""

    def __init__(self, fps: float, stop: threading.Event) -> None:
        self._period = 1.0 / fps
        self._stop = stop
        self._due = time.monotonic()

    def wait(self) -> bool:
        """Sleep until the next beat. False once the stop event is set."""
        delay = self._due - time.monotonic()
        if delay < -self._period:
            self._due -= delay
        self._due += self._period
        return not self._stop.wait(max(0.0, delay))
