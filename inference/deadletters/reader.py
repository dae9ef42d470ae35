"""Reading errors topics from their newest record backwards or forwards, in bounded pieces,
without being a member of any group.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from inference.deadletters.letters import Letter, LetterSummary, Offset
from sightline.kafka import Admin, Consumer, KafkaUnavailable, Record
from sightline.kafka.topics import Topic

WINDOW: Final = 500
WINDOW_BYTES: Final = 128 * 1024 * 1024
CHUNK: Final = 50
ASK_SECONDS: Final = 3.0
READ_SECONDS: Final = 10.0

OVERRIDES: Final[dict[str, Any]] = {
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
}

# The next offset of each partition.
Cursor = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Letters, newest first. ``before``: where older ones end, empty when there are none."""

    letters: tuple[LetterSummary, ...] = ()
    before: Cursor | None = None


class TopicReader:
    """Reads one topic, all of its partitions, one piece at a time. A context manager; every
    method may raise KafkaUnavailable.
    """

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.consumer = Consumer(**OVERRIDES)
        self._ranges: dict[int, tuple[int, int]] | None = None
        self._watched: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.consumer.close()

    def ranges(self) -> dict[int, tuple[int, int]]:
        """For each partition the first offset and the next one, as they were when first asked;
        {} when the topic does not exist (yet).
        """
        if self._ranges is None:
            count = Admin().partitions(ASK_SECONDS).get(self.topic.name, 0)
            self._ranges = {
                partition: self.consumer.range(self.topic, partition, ASK_SECONDS)
                for partition in range(count)
            }
        return self._ranges

    def end(self) -> dict[int, int]:
        """The offset that comes next in each partition that has any records."""
        return {partition: high for partition, (low, high) in self.ranges().items() if high > low}

    def at(self, place: Offset) -> Record | None:
        """One record; None when there is none at that place (any more)."""
        low, high = self.ranges().get(place.partition, (0, 0))
        if not low <= place.offset < high:
            return None
        return next(self._between(place.partition, place.offset, place.offset + 1), None)

    def forwards(self, start: Cursor, end: Cursor) -> Iterator[Record]:
        """The records from ``start`` (where there is none: the oldest) up to ``end``, one
        partition after the other.
        """
        for partition, high in sorted(end.items()):
            low, newest = self.ranges().get(partition, (0, 0))
            yield from self._between(
                partition, max(low, start.get(partition, 0)), min(high, newest)
            )

    def backwards(self, partition: int, before: int) -> Iterator[tuple[int, Iterator[Record]]]:
        """Pieces of a partition from ``before`` to its beginning, the newest first: where each
        begins, and its records, the oldest first.
        """
        low, high = self.ranges().get(partition, (0, 0))
        before = min(before, high)
        while before > low:
            start = max(low, before - CHUNK)
            yield start, self._between(partition, start, before)
            before = start

    def _between(self, partition: int, start: int, end: int) -> Iterator[Record]:
        if start >= end:
            return
        place = (self.topic.name, partition)
        # Not when the last piece ended: its reader may have had enough of it long before, or come
        # back when all is closed.
        if self._watched is not None:
            self.consumer.unwatch(self.topic, self._watched)
        self.consumer.ended.discard(place)
        self.consumer.watch(self.topic, partition, start)
        self._watched = partition
        yield from self._until(place, start, end)

    def _until(self, place: tuple[str, int], start: int, end: int) -> Iterator[Record]:
        """Deleted records and the marks of transactions leave gaps: the topic's end ends it,
        too.
        """
        deadline = time.monotonic() + READ_SECONDS
        while place not in self.consumer.ended:
            if time.monotonic() > deadline:
                raise KafkaUnavailable(f"Kafka stopped answering while {self.topic.name} was read.")
            record = self.consumer.poll(0.2)
            if record is None:
                continue
            if start <= record.offset < end:
                yield record
                deadline = time.monotonic() + READ_SECONDS
            if record.offset >= end - 1:
                return


def newest(topic: Topic, before: Cursor | None = None, most: int = WINDOW) -> LetterPage:
    """The newest letters, or the newest ones before a place in each partition; fewer than ``most``
    when they are very large or Kafka is slow.

    KafkaUnavailable when it does not answer.
    """
    deadline = time.monotonic() + READ_SECONDS
    with TopicReader(topic) as reader:
        starts = (
            reader.end()
            if before is None
            else {partition: before.get(partition, 0) for partition in reader.end()}
        )
        found: list[LetterSummary] = []
        reached: dict[int, int] = {}
        for partition, start in starts.items():
            letters, reached[partition] = _newest_of(reader, partition, start, most, deadline)
            found += letters
        found.sort(key=lambda letter: (letter.timestamp, letter.offset), reverse=True)
        lows = {partition: low for partition, (low, _) in reader.ranges().items()}
    kept = found[:most]
    cursor = _cursor(found[most:], reached)
    return LetterPage(
        tuple(kept),
        cursor if any(offset > lows[partition] for partition, offset in cursor.items()) else None,
    )


def _newest_of(
    reader: TopicReader, partition: int, before: int, most: int, deadline: float
) -> tuple[list[LetterSummary], int]:
    """The newest letters of one partition, and where those end that were not read."""
    letters: list[LetterSummary] = []
    size = 0
    for start, records in reader.backwards(partition, before):
        piece = [Letter.of(record).summary for record in records]
        letters += piece
        before = start
        size += sum(letter.content.size for letter in piece)
        if len(letters) >= most or size > WINDOW_BYTES or time.monotonic() > deadline:
            break
    return letters, before


def _cursor(left_out: list[LetterSummary], reached: Mapping[int, int]) -> dict[int, int]:
    """Where older letters end in each partition: after those that were read and left out, too."""
    cursor = dict(reached)
    for letter in left_out:
        cursor[letter.offset.partition] = max(
            cursor[letter.offset.partition], letter.offset.offset + 1
        )
    return cursor


def letter_at(topic: Topic, place: Offset) -> Letter | None:
    """One letter with its value; None when it is not there (any more). KafkaUnavailable when
    Kafka does not answer.
    """
    with TopicReader(topic) as reader:
        record = reader.at(place)
    return None if record is None else Letter.of(record)
