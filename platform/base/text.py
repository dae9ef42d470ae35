"""Text that people enter."""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError

# Control characters, halves of surrogate pairs, separators of lines and paragraphs (UAX 44).
REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def storable(text: str, limit: int) -> str:
    """The first ``limit`` characters of foreign text, without what a database does not take as
    text: NUL (PostgreSQL), and halves of surrogate pairs.
    """
    return text.replace("\0", "").encode(errors="replace").decode()[:limit]


def is_single_line(text: str) -> bool:
    """Whether the text can stand in a header or a line of a log without ending it."""
    return not any(unicodedata.category(char) in REFUSED for char in text)


def validate_single_line(value: str) -> None:
    """ValidationError for line breaks and other control characters."""
    if not is_single_line(value):
        raise ValidationError("Leave out line breaks and other control characters.")
