"""Reading dead letters: the newest of an errors topic page by page, or a single one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from inference.deadletters.letters import Letter, LetterSummary, Offset
from sightline.kafka.reader import READ_SECONDS, Cursor, TopicReader
from sightline.kafka.topics import Topic

WINDOW: Final = 500
WINDOW_BYTES: Final = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Letters, newest first. ``before``: where older ones end, None when there are none."""

    letters: tuple[LetterSummary, ...] = ()
    before: Cursor | None = None


def newest(topic: Topic, before: Cursor | None = None, limit: int = WINDOW) -> LetterPage:
    """The newest letters, or the newest before an offset in each partition; fewer than ``limit``
    when they are very large or Kafka is slow.

    KafkaUnavailable when it does not answer.
    """
    deadline = time.monotonic() + READ_SECONDS
    with TopicReader(topic) as reader:
        ends = reader.ends()
        starts = ends if before is None else {item: before.get(item, 0) for item in ends}
        found: list[LetterSummary] = []
        reached: dict[int, int] = {}
        for partition, start in starts.items():
            letters, reached[partition] = _newest_of(reader, partition, start, limit, deadline)
            found += letters
        found.sort(key=lambda letter: (letter.timestamp, letter.offset), reverse=True)
        lows = {partition: reader.range(partition)[0] for partition in ends}
    kept = found[:limit]
    cursor = _cursor(found[limit:], reached)
    return LetterPage(
        tuple(kept),
        cursor if any(offset > lows[partition] for partition, offset in cursor.items()) else None,
    )


def _newest_of(
    reader: TopicReader, partition: int, before: int, limit: int, deadline: float
) -> tuple[list[LetterSummary], int]:
    """The newest letters of one partition before an offset, and where the older ones end."""
    letters: list[LetterSummary] = []
    size = 0
    for start, records in reader.backwards(partition, before):
        piece = [Letter.of(record).summary for record in records]
        letters += piece
        before = start
        size += sum(letter.content.size for letter in piece)
        if len(letters) >= limit or size > WINDOW_BYTES or time.monotonic() > deadline:
            break
    return letters, before


def _cursor(left_out: list[LetterSummary], reached: Mapping[int, int]) -> dict[int, int]:
    """Where older letters end in each partition; those read but left out are older."""
    cursor = dict(reached)
    for letter in left_out:
        cursor[letter.offset.partition] = max(
            cursor[letter.offset.partition], letter.offset.offset + 1
        )
    return cursor


def letter_at(topic: Topic, offset: Offset) -> Letter | None:
    """One letter with its value; None when it is not there (any more). KafkaUnavailable when
    Kafka does not answer.
    """
    with TopicReader(topic) as reader:
        if offset.partition not in reader.ranges():
            return None
        record = reader.at(offset.partition, offset.offset)
    return None if record is None else Letter.of(record)
