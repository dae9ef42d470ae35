"""Dead letters of the same input: only the newest is retried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from inference.deadletters.letters import Letter, Offset
from sightline.kafka.reader import Cursor, TopicReader


def newest_attempts(reader: TopicReader, start: Cursor, end: Cursor) -> Iterator[Letter]:
    """The letters between two offsets of each partition, without those that a later one before
    ``end`` supersedes.
    """
    gone = superseded(map(Letter.of, reader.forwards({}, end)))
    yield from (
        letter
        for letter in map(Letter.of, reader.forwards(start, end))
        if letter.offset not in gone
    )


def superseded(letters: Iterable[Letter]) -> set[Offset]:
    """Of letters in the order in which they came, those that a later one supersedes.

    A record that was read twice, because a worker was killed, has two letters with the same
    origin. One that was retried and failed again has two with the same key, value and headers, the
    later one with the next attempt; of several equal ones, each supersedes one.
    """
    gone: set[Offset] = set()
    origins: dict[tuple[str, int, int, int], Offset] = {}
    attempts: dict[tuple[bytes, int], list[Offset]] = defaultdict(list)
    for letter in letters:
        why, offset, content = letter.why, letter.offset, _content(letter)
        equal = attempts[content, why.attempt]
        origin = (why.topic, why.partition, why.offset, why.timestamp)
        twin = origins.get(origin) if why.offset >= 0 else None
        origins[origin] = offset
        if twin is None:
            equal.append(offset)
            if earlier := attempts.get((content, why.attempt - 1)):
                gone.add(earlier.pop(0))
        elif twin in equal:
            equal[equal.index(twin)] = offset
            gone.add(twin)
        else:  # its next attempt has come already
            gone.add(offset)
    return gone


def _content(letter: Letter) -> bytes:
    record = letter.record
    digest = blake2b(record.value or b"", digest_size=16)
    digest.update(repr((record.key, record.value is None, letter.own_headers)).encode())
    return digest.digest()
