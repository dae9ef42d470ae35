"""What one tile's viewer may have on its way, by how promptly it acknowledges.

On a line that is too slow, frames would wait in the buffers between server and viewer and
arrive minutes old. A viewer that acknowledges late therefore gets one frame at a time instead
of two, and smaller ones: one size down for each doubling of the delay, because each size
roughly halves the bytes. Sizes go up again, one by one, once frames arrive in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

UNACKNOWLEDGED: Final = 2
LATE_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 10.0
MAX_PATIENCE_SECONDS: Final = 80.0
# Frames acknowledged in time before the level drops; doubled after each failed try, reset after a
# successful one.
IN_TIME: Final = 20
MAX_IN_TIME: Final = 640


@dataclass(slots=True)
class FlowControl:
    """Of one tile. All times are monotonic seconds.

    ``level`` 0 is what the viewer asked for, two frames at once; 1 is one at a time; each
    further level is one size smaller. A viewer that does not acknowledge at all gets the next
    frame after PATIENCE_SECONDS, then after twice as long, and so on.
    """

    level: int = 0
    _on_way: dict[int, float] = field(default_factory=dict)
    _changed_at: float = float("-inf")
    _in_time: int = 0
    _needed: int = IN_TIME
    _trying: bool = False
    _patience: float = PATIENCE_SECONDS
    _smaller: int = 0

    @property
    def steps(self) -> int:
        """How many sizes below the requested one the next frame is."""
        return max(0, self.level - 1)

    def is_slow(self, now: float) -> bool:
        """Whether the line is too slow for what was asked, by what came late or has been on its
        way for too long.
        """
        return self.level > 0 or (
            bool(self._on_way) and now - min(self._on_way.values()) > LATE_SECONDS
        )

    def wait(self, now: float) -> float:
        """Seconds until a frame may be sent; 0 = now."""
        if len(self._on_way) < (1 if self.level else UNACKNOWLEDGED):
            return 0.0
        oldest = min(self._on_way.values())
        if (left := oldest + self._patience - now) > 0:
            return left
        self._on_way.clear()
        self._patience = min(2 * self._patience, MAX_PATIENCE_SECONDS)
        self._late(oldest, now)
        return 0.0

    def went(self, seq: int, now: float, *, smaller: int) -> None:
        """Record a frame that was sent; ``smaller``: how many smaller sizes there are."""
        self._on_way[seq] = now
        self._smaller = smaller

    def acknowledge(self, seq: int, now: float) -> None:
        """The viewer has this frame, and so all that were sent before it."""
        if seq not in self._on_way:
            return
        for sent in list(self._on_way):
            sent_at = self._on_way.pop(sent)
            if sent == seq:
                break
        self._patience = PATIENCE_SECONDS
        if now - sent_at > LATE_SECONDS:
            self._late(sent_at, now)
        else:
            self._prompt(now)

    def _late(self, sent_at: float, now: float) -> None:
        self._in_time = 0
        left = self._smaller + (self.level == 0)
        if sent_at < self._changed_at or not left:
            return  # it says nothing about how it is now, or nothing is left to take
        if self._trying:
            self._needed = min(2 * self._needed, MAX_IN_TIME)
        doublings = int(math.log2(max(1.0, (now - sent_at) / LATE_SECONDS)))
        self._change(min(left, 1 + doublings), now)

    def _prompt(self, now: float) -> None:
        self._in_time += 1
        if self._trying and self._in_time >= IN_TIME:
            self._trying, self._needed = False, IN_TIME
        if self.level and self._in_time >= self._needed:
            self._change(-1, now)

    def _change(self, by: int, now: float) -> None:
        self.level += by
        self._trying = by < 0
        self._changed_at, self._in_time = now, 0
