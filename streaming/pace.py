"""How often: a frame rate that is kept on average, and a limit for messages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """At most ``rate`` a second, without drift: a frame that came late lets the next one come early, by one interval at most."""

    rate: float
    due: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next one may go; 0 = now."""
        return max(0.0, self.due - now)

    def went(self, now: float) -> None:
        """One has gone."""
        interval = 1 / self.rate
        self.due = max(self.due, now - interval) + interval


@dataclass(slots=True)
class Allowance:
    """A token bucket: ``burst`` at once, ``rate`` a second in the long run."""

    rate: float
    burst: float
    tokens: float = -1.0
    filled_at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is allowed."""
        full = self.burst if self.tokens < 0 else min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        self.tokens = full - 1 if full >= 1 else full
        return full >= 1
