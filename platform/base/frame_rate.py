"""Frame rates: a limiter that drops frames, and a ticker that sleeps."""

from __future__ import annotations

import threading
import time

NANOSECONDS = 1_000_000_000


class FrameRateLimiter:
    """Drops frames beyond ``fps`` a second, without drift: due times count from the first frame,
    not from the last one taken.
    """

    # The share of an interval by which a frame may be early: a camera that sends at exactly this
    # rate jitters a little.
    EARLY = 0.3

    def __init__(self, fps: float) -> None:
        self.rate = fps
        self.interval = NANOSECONDS / fps
        self.due = 0.0

    def takes(self, captured_at: int) -> bool:
        """Whether the frame captured at this time (ns) is to be taken."""
        clock_was_put_back = captured_at < self.due - 2 * self.interval
        if captured_at < self.due - self.interval * self.EARLY and not clock_was_put_back:
            return False
        late = captured_at - self.due > self.interval
        self.due = (captured_at if late or clock_was_put_back else self.due) + self.interval
        return True


class Ticker:
    """`wait()` returns at each beat of `fps`. Beats missed by more than one period are dropped,
    not caught up.
    """

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
