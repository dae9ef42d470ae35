"""Sentences about a field of a record: its path first, then the reason, the value last and cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

SHOWN_CHARACTERS: Final = 60
REASON_CHARACTERS: Final = 200


def subject(path: Sequence[str | int]) -> str:
    """What a sentence is about: the field, or the record."""
    return f"The field {field_path(path)!r}" if path else "The record"


def field_path(path: Sequence[str | int]) -> str:
    """As in ``petals[1].width``."""
    return limited(
        "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(
            "."
        )
    )


def misfit(path: Sequence[str | int], reason: str, value: Any) -> str:
    """A field does not fit for this ``reason``, the end of a sentence about the value."""
    return f"{subject(path)} does not fit: {limited(reason.rstrip('.'))}; it is {shown(value)}."


def shown(value: Any) -> str:
    """A value as JSON, cut."""
    return limited(json.dumps(value, ensure_ascii=False, default=str), SHOWN_CHARACTERS)


def limited(text: str, limit: int = REASON_CHARACTERS) -> str:
    """The text, cut where it is longer."""
    return text if len(text) <= limit else f"{text[:limit]} …"
