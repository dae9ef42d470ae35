"""About how large the records of a topic are: the mean of its newest ones, found out for the
topics that somebody looks at.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Final

from sightline.kafka import KafkaUnavailable
from sightline.kafka.reader import PieceReader

LOOKED_AT: Final = 3
READ_SECONDS: Final = 1.5
KEEP_SECONDS: Final = 30.0
MAX_WANTED: Final = 64
MAX_KEPT: Final = 2048


class RecordSizes:
    """Means by topic. ``mean`` never waits: what it does not know it asks for, and ``measure``
    finds it out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._means: dict[str, tuple[float, float | None]] = {}
        self._wanted: set[str] = set()

    def mean(self, topic: str) -> float | None:
        """Bytes a record, key and headers left out; None when that is not known (yet)."""
        with self._lock:
            at, mean = self._means.get(topic, (float("-inf"), None))
            if time.monotonic() - at > KEEP_SECONDS and len(self._wanted) < MAX_WANTED:
                self._wanted.add(topic)
            return mean

    def measure(self, partitions: dict[str, int]) -> None:
        """Read the newest records of the topics that were asked for, of all at once; what the
        broker does not tell stays as it was.
        """
        with self._lock:
            wanted, self._wanted = self._wanted & partitions.keys(), set()
        if not wanted:
            return
        found = _read({name: partitions[name] for name in wanted})
        now = time.monotonic()
        with self._lock:
            if len(self._means) > MAX_KEPT:
                self._means.clear()
            for name in wanted:
                sizes = found.get(name)
                known = self._means.get(name, (now, None))[1]
                self._means[name] = (now, sum(sizes) / len(sizes) if sizes else known)


def _read(partitions: dict[str, int]) -> dict[str, list[int]]:
    """The sizes of a few of the newest records of each topic."""
    found: dict[str, list[int]] = {}
    places = [(name, number) for name, count in partitions.items() for number in range(count)]
    with PieceReader(READ_SECONDS) as reader, contextlib.suppress(KafkaUnavailable):
        pieces = {place: reader.last_offsets(place, LOOKED_AT) for place in places}
        for records in reader.read(pieces, time.monotonic() + READ_SECONDS):
            for record in records:
                found.setdefault(record.topic, []).append(len(record.value or b""))
    return found
