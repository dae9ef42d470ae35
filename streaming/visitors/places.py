"""How many streams and sockets each user has open in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings


class Places:
    """Counts what is open by user. ``setting`` names the setting that says how many may be."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self._open: Counter[int] = Counter()

    @property
    def most(self) -> int:
        """How many one user may have."""
        return int(getattr(settings, self.setting))

    def are_left(self, user: int) -> bool:
        """Whether the user may open one more."""
        return self._open[user] < self.most

    @contextmanager
    def held(self, user: int) -> Iterator[None]:
        """One of the user's places, while the block runs."""
        self._open[user] += 1
        try:
            yield
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]


streams = Places("STREAMS_PER_USER")
sockets = Places("SOCKETS_PER_USER")
