"""A limit for messages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RateLimit:
    """A token bucket: ``burst`` at once, ``rate`` a second in the long run."""

    rate: float
    burst: float
    tokens: float = -1.0
    filled_at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether one more is allowed."""
        full = (
            self.burst
            if self.tokens < 0
            else min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        )
        self.filled_at = now
        self.tokens = full - 1 if full >= 1 else full
        return full >= 1
