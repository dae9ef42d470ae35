"""Dead letters as they are read from a model version's errors topic, and grouped by error."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Self

from inference.deadletters.content import Content, content_of
from inference.models import LetterId, ModelVersion
from sightline.kafka import Headers, Record, topics
from sightline.kafka.topics import Topic
from sightline.messages import DeadLetter
from sightline.messages.dead_letter import attempt_header, own_headers

SHAPE_CHARACTERS: Final = 160

# What varies from record to record in the same message.
_VARYING: Final = (
    (re.compile(r'"(?:[^"\\]|\\.)*"'), '"…"'),
    (re.compile(r"\[[^\[\]]*\]"), "[…]"),
    (re.compile(r"\{[^{}]*\}"), "{…}"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "#"),
    (re.compile(r"(?<!\w)[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?"), "#"),
)


@dataclass(frozen=True, slots=True, order=True)
class Offset:
    """Where a letter is in its errors topic; as text ``partition:offset``."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse ``partition:offset``, or the offset alone for partition 0; else ValueError."""
        if not re.fullmatch(r"(?:\d{1,6}:)?\d{1,18}", text, re.ASCII):
            raise ValueError(
                f"{text!r} is no place of a dead letter: write offset or partition:offset."
            )
        partition, _, offset = text.rpartition(":")
        return cls(int(partition or 0), int(offset))


@dataclass(frozen=True, slots=True)
class LetterSummary:
    """A letter without its value. ``timestamp``: when it became a dead letter, in ms since the
    epoch.
    """

    offset: Offset
    timestamp: int
    key: bytes | None
    why: DeadLetter
    content: Content

    @property
    def id(self) -> LetterId:
        """Identifies the letter, also after its topic was recreated."""
        return self.offset.partition, self.offset.offset, self.timestamp

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(max(self.timestamp, 0) / 1000, UTC)

    @property
    def key_text(self) -> str:
        """The key for people to read."""
        return (self.key or b"").decode(errors="backslashreplace")

    @property
    def camera(self) -> str:
        """The camera whose frame it is; "" for a record."""
        return camera_of_frame(self.why.topic)

    @property
    def group(self) -> str:
        """The key of its group: the same for letters with the same kind of error."""
        return group_of(self.why)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: the record in the errors topic, and why it is there."""

    record: Record
    why: DeadLetter

    @classmethod
    def of(cls, record: Record) -> Self:
        """Read a record of an errors topic. Missing or wrong headers are tolerated: others may
        write there, too.
        """
        return cls(record, DeadLetter.from_headers(record.header_map))

    @property
    def offset(self) -> Offset:
        return Offset(self.record.partition, self.record.offset)

    @property
    def id(self) -> LetterId:
        """Identifies the letter, also after its topic was recreated."""
        return self.record.partition, self.record.offset, self.record.timestamp

    @property
    def camera(self) -> str:
        """The camera whose frame it is; "" for a record."""
        return camera_of_frame(self.why.topic)

    @property
    def group(self) -> str:
        """The key of its group: the same for letters with the same kind of error."""
        return group_of(self.why)

    @property
    def summary(self) -> LetterSummary:
        """The letter without its value."""
        return LetterSummary(
            self.offset,
            self.record.timestamp,
            self.record.key,
            self.why,
            content_of(self.record.value),
        )

    def with_value(self, value: bytes) -> Self:
        """The letter with a corrected value."""
        return replace(self, record=self.record._replace(value=value))

    @property
    def own_headers(self) -> Headers:
        """The headers of the record that failed."""
        return own_headers(self.record.headers)

    @property
    def retry_headers(self) -> Headers:
        """The headers to retry it with: its own, and the number of the attempt."""
        return (*self.own_headers, attempt_header(self.why.attempt + 1))


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Letters with the same kind of error, newest first."""

    key: str
    error: str
    shape: str
    letters: tuple[LetterSummary, ...]

    @property
    def name(self) -> str:
        """The name of the exception's class, without its module."""
        return self.error.rpartition(".")[2]

    @property
    def count(self) -> int:
        return len(self.letters)

    @property
    def newest(self) -> datetime:
        return self.letters[0].at


def grouped(letters: Iterable[LetterSummary]) -> list[ErrorGroup]:
    """Group letters, which come newest first, by kind of error. The newest group comes first."""
    found: dict[str, list[LetterSummary]] = defaultdict(list)
    for letter in letters:
        found[letter.group].append(letter)
    return [
        ErrorGroup(key, items[0].why.error, shape_of(items[0].why.message), tuple(items))
        for key, items in found.items()
    ]


def errors_topic(version: ModelVersion) -> Topic:
    """Where the dead letters of a model version are."""
    return topics.errors(version.model.slug, version.version)


def group_of(why: DeadLetter) -> str:
    """The same key for the same kind of error."""
    return sha256(f"{why.error}\n{shape_of(why.message)}".encode()).hexdigest()[:16]


def shape_of(message: str) -> str:
    """A message without what varies from record to record: numbers, quoted values, lists."""
    for pattern, stand_in in _VARYING:
        message = pattern.sub(stand_in, message)
    return message[:SHAPE_CHARACTERS]


def camera_of_frame(topic: str) -> str:
    """The slug in the name of a frames topic; "" for any other topic."""
    try:
        return topics.camera_of(topic) if topic.endswith(".frames") else ""
    except ValueError:
        return ""
