"""Reading bounded pieces of topics, outside any group."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

from django.conf import settings

from sightline.kafka.admin import Admin
from sightline.kafka.connection import KafkaUnavailable, NoSuchTopic, Partition, Record
from sightline.kafka.partition_reader import PartitionReader
from sightline.kafka.topics import Topic

MAX_READ: Final = 500
POLL_SECONDS: Final = 0.2
ASK_SECONDS: Final = 3.0
READ_SECONDS: Final = 10.0
CHUNK: Final = 50

CONFIGURATION: Final[dict[str, Any]] = {
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
}

Piece = tuple[int, int]
"""The offset of the first record, and the one after the last."""
Cursor = Mapping[int, int]
"""An offset in each partition."""


class PieceReader:
    """Reads pieces of any partitions. A context manager; every method may raise KafkaUnavailable,
    also when Kafka is silent for ``timeout`` seconds.
    """

    def __init__(self, timeout: float = READ_SECONDS) -> None:
        self.timeout = timeout
        self.consumer = PartitionReader(**CONFIGURATION)
        self._watched: set[Partition] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.consumer.close()

    def range(self, partition: Partition) -> Piece:
        """All that a partition holds; NoSuchTopic if there is no such partition."""
        name, number = partition
        return self.consumer.offsets.range(Topic(name), number, min(ASK_SECONDS, self.timeout))

    def last_offsets(self, partition: Partition, count: int) -> Piece:
        """The last ``count`` offsets of a partition."""
        low, high = self.range(partition)
        return max(low, high - count), high

    def read(
        self, pieces: Mapping[Partition, Piece], deadline: float | None = None
    ) -> Iterator[list[Record]]:
        """The records of all ``pieces`` together, in batches as they arrive.

        With a ``deadline`` (of ``time.monotonic``) KafkaUnavailable is raised when it passes, and
        not when Kafka is silent.
        """
        left = {item: piece for item, piece in pieces.items() if piece[0] < piece[1]}
        max_records = min(MAX_READ, sum(end - start for start, end in left.values()))
        self._watch(left)
        silent_until = time.monotonic() + self.timeout
        while left:
            if time.monotonic() > (silent_until if deadline is None else deadline):
                names = ", ".join(sorted({name for name, _ in left}))
                raise KafkaUnavailable(f"Kafka stopped answering while {names} was read.")
            found = []
            for record in self.consumer.read(max_records, POLL_SECONDS):
                start, end = left.get((record.topic, record.partition), (0, 0))
                if start <= record.offset < end:
                    found.append(record)
                if end and record.offset >= end - 1:
                    self._unwatch(left, (record.topic, record.partition))
            # Deleted records and the marks of transactions leave gaps, so that the last offset
            # may never come: the end of the partition ends its piece, too.
            for partition in self.consumer.ended & left.keys():
                self._unwatch(left, partition)
            if found:
                yield found
                silent_until = time.monotonic() + self.timeout

    def _watch(self, pieces: Mapping[Partition, Piece]) -> None:
        # Not when the last pieces ended: their caller may have stopped long before.
        for name, number in self._watched:
            self.consumer.unwatch(Topic(name), number)
        self.consumer.ended.clear()
        for (name, number), (start, _) in pieces.items():
            self.consumer.watch(Topic(name), number, start)
        self._watched = set(pieces)

    def _unwatch(self, left: dict[Partition, Piece], partition: Partition) -> None:
        del left[partition]
        if left:  # the last one stays until the next pieces are read
            self.consumer.unwatch(Topic(partition[0]), partition[1])
            self._watched.discard(partition)


class TopicReader:
    """Reads one topic piece by piece. A context manager; every method may raise KafkaUnavailable.

    What returns records at once does so within ``timeout`` seconds; what yields them may take as
    long as its caller does, while Kafka is not silent for ``timeout`` seconds.
    """

    def __init__(self, topic: Topic, timeout: float = READ_SECONDS) -> None:
        self.topic = topic
        self._pieces = PieceReader(timeout)
        self._ranges: dict[int, Piece] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pieces.consumer.close()

    def partitions(self) -> range:
        """The numbers of the topic's partitions; NoSuchTopic if it does not exist (yet)."""
        return range(len(Admin().describe(self.topic.name, ASK_SECONDS)))

    def range(self, partition: int = 0) -> Piece:
        """All that a partition held when first asked; NoSuchTopic if there is no such partition."""
        if partition not in self._ranges:
            self._ranges[partition] = self._pieces.range((self.topic.name, partition))
        return self._ranges[partition]

    def ranges(self) -> dict[int, Piece]:
        """All that each partition held when first asked; {} if the topic does not exist (yet)."""
        try:
            return {partition: self.range(partition) for partition in self.partitions()}
        except NoSuchTopic:
            return {}

    def ends(self) -> dict[int, int]:
        """The offset that comes next in each partition that has any records."""
        return {partition: high for partition, (low, high) in self.ranges().items() if high > low}

    def at(self, partition: int, offset: int) -> Record | None:
        """One record; None if that offset has no record (any more)."""
        low, high = self._kept(partition)
        if not low <= offset < high:
            return None
        return next(self._between(partition, offset, offset + 1, self._deadline()), None)

    def newest(self, count: int) -> list[Record]:
        """The newest ``count`` records of all partitions together, oldest first; NoSuchTopic if
        the topic does not exist (yet).
        """
        deadline = self._deadline()
        found: list[Record] = []
        for partition in self.partitions():
            newest: list[Record] = []
            # Not every offset is a record: transactions leave marks, compaction leaves gaps.
            for _, records in self.backwards(partition, size=count, growth=3, deadline=deadline):
                newest = [*records, *newest]
                if len(newest) >= count:
                    break
            found += newest
        found.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
        return found[-count:] if count else []

    def last(self, count: int, partition: int = 0) -> list[Record]:
        """The records of the last ``count`` offsets of a partition, oldest first; NoSuchTopic if
        there is no such partition.
        """
        low, high = self.range(partition)
        return list(self._between(partition, max(low, high - count), high, self._deadline()))

    def since(self, timestamp: int, guess: int, partition: int = 0) -> list[Record]:
        """The records of a partition that are not older than ``timestamp`` (ms since the epoch),
        oldest first; ``guess``: about how many.

        Does not ask the broker for the offsets of times: the embedded one knows none.
        """
        found: list[Record] = []
        pieces = self.backwards(partition, size=guess, growth=3, deadline=self._deadline())
        for _, records in pieces:
            found = [*records, *found]
            if found and found[0].timestamp < timestamp:
                break
        return [record for record in found if record.timestamp >= timestamp]

    def forwards(self, start: Cursor, end: Cursor) -> Iterator[Record]:
        """The records from ``start`` (where it names no offset: the oldest) up to ``end``, one
        partition after the other.
        """
        for partition, high in sorted(end.items()):
            low, newest = self._kept(partition)
            yield from self._between(
                partition, max(low, start.get(partition, 0)), min(high, newest)
            )

    def backwards(
        self,
        partition: int = 0,
        before: int | None = None,
        *,
        size: int = CHUNK,
        growth: int = 1,
        deadline: float | None = None,
    ) -> Iterator[tuple[int, Iterator[Record]]]:
        """Pieces of a partition from ``before`` (or its end) to its beginning, the newest first:
        where each begins, and its records, the oldest first.

        Each piece has ``growth`` times as many offsets as the one after it, which has ``size``.
        """
        low, high = self._kept(partition)
        end = high if before is None else min(before, high)
        while end > low:
            start = max(low, end - max(1, size))
            yield start, self._between(partition, start, end, deadline)
            end = start
            size *= growth

    def starts_of_last(self, count: int, partitions: Iterable[int]) -> dict[int, int]:
        """Where the last ``count`` offsets of each partition begin."""
        return {
            partition: self._pieces.last_offsets((self.topic.name, partition), count)[0]
            for partition in partitions
        }

    def starts_since(self, timestamp: int, partitions: Iterable[int]) -> dict[int, int]:
        """Where records begin that are not older than ``timestamp`` (ms since the epoch)."""
        if not settings.KAFKA_EMBEDDED:
            offsets = self._pieces.consumer.offsets
            return {
                partition: offsets.for_time(self.topic, partition, timestamp)
                for partition in partitions
            }
        # The embedded broker knows no times, and keeps so little that it can be read through.
        starts = {}
        for partition in partitions:
            low, high = self.range(partition)
            records = self._between(partition, low, high)
            newer = (record.offset for record in records if record.timestamp >= timestamp)
            starts[partition] = next(newer, high)
        return starts

    def follow(self, starts: Cursor) -> Iterator[list[Record]]:
        """The records from ``starts`` on, in batches, for ever; an empty one if none has come for
        a moment.
        """
        consumer = self._pieces.consumer
        for partition, offset in starts.items():
            consumer.watch(self.topic, partition, offset)
        while True:
            yield consumer.read(MAX_READ, POLL_SECONDS)

    def _kept(self, partition: int) -> Piece:
        """As ``range``; empty if there is no such partition."""
        try:
            return self.range(partition)
        except NoSuchTopic:
            return 0, 0

    def _deadline(self) -> float:
        return time.monotonic() + self._pieces.timeout

    def _between(
        self, partition: int, start: int, end: int, deadline: float | None = None
    ) -> Iterator[Record]:
        pieces = {(self.topic.name, partition): (start, end)}
        return itertools.chain.from_iterable(self._pieces.read(pieces, deadline))
