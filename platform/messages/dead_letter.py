"""A dead letter: an input that failed, with the reason in its ``dlt-*`` headers.

The record's key, value and own headers travel with it, unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from sightline.messages.json import whole_number

PREFIX: Final = "dlt-"
ATTEMPT: Final = "delivery-attempt"
UNKNOWN: Final = "unknown"
MESSAGE_LIMIT: Final = 1024
STACKTRACE_LIMIT: Final = 8 * 1024

Header = tuple[str, bytes | None]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Where the input came from, and why it failed."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    group: str
    model: str
    version: str
    error: str
    message: str
    stacktrace: str
    attempt: int = 1

    def headers(self) -> dict[str, bytes]:
        """The ``dlt-*`` headers; the message is cut to its first KiB, the stack trace to its last
        8 KiB.
        """
        message = _utf8(self.message)[:MESSAGE_LIMIT].decode(errors="ignore")
        stacktrace = _utf8(self.stacktrace)[-STACKTRACE_LIMIT:].decode(errors="ignore")
        values: dict[str, object] = {
            "original-topic": self.topic,
            "original-partition": self.partition,
            "original-offset": self.offset,
            "original-timestamp": self.timestamp,
            "consumer-group": self.group,
            "exception-fqcn": self.error,
            "exception-message": message,
            "model": self.model,
            "version": self.version,
            ATTEMPT: self.attempt,
            "exception-stacktrace": stacktrace,
        }
        return {PREFIX + name: str(value).encode() for name, value in values.items()}

    @classmethod
    def from_headers(cls, headers: Mapping[str, bytes]) -> Self:
        """Read the headers of a record in an errors topic. Missing and wrong ones are tolerated:
        other programs may write there, too.
        """
        return cls(
            topic=_text(headers, "original-topic"),
            partition=_number(headers, "original-partition", -1),
            offset=_number(headers, "original-offset", -1),
            timestamp=_number(headers, "original-timestamp", 0),
            group=_text(headers, "consumer-group"),
            model=_text(headers, "model"),
            version=_text(headers, "version"),
            error=_text(headers, "exception-fqcn") or UNKNOWN,
            message=_text(headers, "exception-message"),
            stacktrace=_text(headers, "exception-stacktrace"),
            attempt=attempt_of(headers),
        )


def attempt_of(headers: Mapping[str, bytes]) -> int:
    """Which attempt a record is, counted from 1; it is more for one that was retried."""
    return max(_number(headers, ATTEMPT, 1), 1)


def attempt_header(attempt: int) -> Header:
    """The header of a record that is retried."""
    return PREFIX + ATTEMPT, str(attempt).encode()


def own_headers(headers: Iterable[Header]) -> Sequence[Header]:
    """The headers of a record without those of an earlier failure."""
    return tuple(header for header in headers if not header[0].startswith(PREFIX))


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(PREFIX + name, b"").decode(errors="replace")


def _number(headers: Mapping[str, bytes], name: str, otherwise: int) -> int:
    text = _text(headers, name)
    try:
        return whole_number(text)
    except ValueError:
        return otherwise


def _utf8(text: str) -> bytes:
    """The text of a foreign exception, which may hold what UTF-8 cannot."""
    return text.encode(errors="backslashreplace")
