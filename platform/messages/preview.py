"""What the values of records are, as far as their bytes tell: pictures, JSON, text or something
else; and how people are shown them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sightline.kafka import Record
from sightline.messages.json import parse

# The first bytes of picture files, and their file name extensions.
PICTURES: Final[Mapping[bytes, str]] = {
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG\r\n": "png",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"II*\0": "tif",
    b"MM\0*": "tif",
    b"RIFF": "webp",
}
_BEGINNINGS: Final = tuple(PICTURES)
SHOWN_BYTES: Final = 32


def is_picture(value: bytes | None) -> bool:
    """Whether the value begins as pictures do."""
    return value is not None and value.startswith(_BEGINNINGS)


def picture_suffix(value: bytes) -> str:
    """The file name extension for this picture, without the dot; "bin" if it is not a picture."""
    return next(
        (suffix for beginning, suffix in PICTURES.items() if value.startswith(beginning)), "bin"
    )


def plain(value: bytes | None) -> Any:
    """The value for a line of JSON: what it says if it is JSON, else its text, else how many
    bytes of what it is.
    """
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"bytes": len(value), "type": picture_suffix(value)}
    try:
        return parse(text)
    except (ValueError, RecursionError):
        return text


def envelope(record: Record, value: Any) -> dict[str, Any]:
    """A record with all that travels beside its value. Of repeated headers all are kept: a list
    of names and values.
    """
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "headers": [[name, _text(header)] for name, header in record.headers],
        "value": value,
    }


def described(record: Record) -> str:
    """A record for a person: where and when, its key and headers, then its value, JSON in
    several lines, a picture as its size.
    """
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(
        sep=" ", timespec="milliseconds"
    )
    key = "" if record.key is None else f"  key {_text(record.key)}"
    headers = [f"  {name}: {_text(value)}" for name, value in record.headers]
    return "\n".join(
        [
            f"{record.topic}/{record.partition} @{record.offset}  {at}{key}",
            *headers,
            described_value(record.value),
        ]
    )


def described_value(value: bytes | None) -> str:
    """A value for a person: JSON in several lines, text as it is, a picture or other bytes as
    what they are.
    """
    found = plain(value)
    if isinstance(found, str):
        return found
    if (
        value is None
        or not isinstance(found, dict)
        or set(found) != {"bytes", "type"}
        or _is_text(value)
    ):
        return json.dumps(found, indent=2, ensure_ascii=False)
    if is_picture(value):
        return f"a picture ({found['type']}) of {len(value):,} bytes"
    return (
        f"{len(value):,} bytes:"
        f" {value[:SHOWN_BYTES].hex(' ')}{' …' if len(value) > SHOWN_BYTES else ''}"
    )


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="backslashreplace")
