"""Advice by reader: shell commands are for those who administer; the others ask them."""

from __future__ import annotations

from typing import Final

ASK: Final = "Ask your administrator."


def advised(text: str, command: str, administers: bool) -> str:
    """A sentence with what its reader can do; ``command`` is a sentence with a shell command, or
    empty.
    """
    if not command:
        return text
    return f"{text} {command if administers else ASK}"
