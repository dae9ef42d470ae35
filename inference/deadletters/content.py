"""Values of dead letters for people to look at. They come from outside and may be anything."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inference.runtimes.base import MAX_PIXELS, jpeg_size
from inference.runtimes.errors import InferenceError
from sightline.messages.json import parse

SHOWN_BYTES: Final = 64
PREVIEW_CHARACTERS: Final = 600
SHOWN_CHARACTERS: Final = 64 * 1024
EDITABLE_BYTES: Final = 256 * 1024

PNG: Final = b"\x89PNG\r\n\x1a\n"
PNG_HEADER: Final = (
    len(PNG) + 4 + 4 + 13 + 4
)  # signature; length, name, content and checksum of the chunk IHDR


class ContentKind(StrEnum):
    PICTURE = "picture"
    JSON = "json"
    TEXT = "text"
    BYTES = "bytes"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Content:
    """A value as it is shown: ``size`` in bytes, and ``text`` unless it is a picture. The text of
    bytes is the first ones in hex. ``cut``: there is more than ``text``.
    """

    kind: ContentKind
    size: int
    text: str = ""
    cut: bool = False


def picture_type(value: bytes | None) -> str:
    """``image/jpeg`` or ``image/png`` if the value begins like a picture of a sensible size, else
    "".
    """
    if not value:
        return ""
    if value.startswith(b"\xff\xd8"):
        return "image/jpeg" if _is_jpeg(value) else ""
    return "image/png" if _is_png(value) else ""


def content_of(value: bytes | None, most: int = PREVIEW_CHARACTERS) -> Content:
    """The value as it is shown, with at most ``most`` characters of its text."""
    if value is None:
        return Content(ContentKind.NULL, 0)
    if picture_type(value):
        return Content(ContentKind.PICTURE, len(value))
    text = text_of(value)
    if text is None:
        return Content(
            ContentKind.BYTES, len(value), value[:SHOWN_BYTES].hex(" "), len(value) > SHOWN_BYTES
        )
    pretty = pretty_json(text)
    kind = ContentKind.TEXT if pretty is None else ContentKind.JSON
    shown = text if pretty is None else pretty
    return Content(kind, len(value), shown[:most], len(shown) > most)


def text_of(value: bytes) -> str | None:
    """The value as text; None when it is not UTF-8 or has control characters."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return (
        None if any(character < " " and character not in "\t\n\r" for character in text) else text
    )


def pretty_json(text: str) -> str | None:
    """Indented JSON; None when the text is not JSON."""
    try:
        pretty = json.dumps(parse(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None
    # JSON may have lone surrogates, which no page can show: escape them.
    return pretty.encode(errors="backslashreplace").decode()


def editable(value: bytes | None) -> str | None:
    """The value as text to correct: indented if it is JSON, else as it is; None when it cannot be
    edited here.
    """
    if value is None:
        return ""
    if len(value) > EDITABLE_BYTES or picture_type(value):
        return None
    text = text_of(value)
    if text is None:
        return None
    pretty = pretty_json(text)
    return text if pretty is None else pretty


def _is_jpeg(value: bytes) -> bool:
    try:
        jpeg_size(value)
    except InferenceError:
        return False
    return True


def _is_png(value: bytes) -> bool:
    """Check the first chunk: https://www.w3.org/TR/png-3/#5PNG-file-signature and 11.2.1."""
    if not value.startswith(PNG) or len(value) < PNG_HEADER or value[12:16] != b"IHDR":
        return False
    if zlib.crc32(value[12:29]) != int.from_bytes(value[29:33], "big"):
        return False
    width, height = int.from_bytes(value[16:20], "big"), int.from_bytes(value[20:24], "big")
    return 0 < width * height <= MAX_PIXELS
