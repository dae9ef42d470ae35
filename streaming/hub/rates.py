"""Rates from totals that are reported about once a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

REMEMBERED: Final = 11


class Counters:
    """The totals of the last ten seconds or so, at the times at which they were true (seconds)."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Mapping[str, int]]] = deque(maxlen=REMEMBERED)

    def add(self, totals: Mapping[str, int], at: float) -> None:
        """Add the newest totals. A total that dropped clears the history: its process restarted."""
        if self._seen and any(
            totals.get(name, 0) < before for name, before in self._seen[-1][1].items()
        ):
            self._seen.clear()
        self._seen.append((at, totals))

    def rates(self) -> dict[str, float]:
        """Each total's growth a second; {} before there are two."""
        (first_at, first), (last_at, last) = (
            (self._seen[0], self._seen[-1]) if self._seen else ((0.0, {}), (0.0, {}))
        )
        if last_at <= first_at:
            return {}
        return {
            name: (total - first[name]) / (last_at - first_at)
            for name, total in last.items()
            if name in first
        }
