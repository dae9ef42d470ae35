"""Reads settings from environment variables: ``NAME``, or ``NAME_FILE`` naming a file that holds
the value (for secrets).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}


class Environment:
    """Typed access to environment variables; a wrong one raises ImproperlyConfigured with a
    hint.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = os.environ if variables is None else variables

    def text(self, name: str, default: str = "") -> str:
        """The variable, or what the file in ``NAME_FILE`` holds, without the white space around
        it. An empty one counts as not set.
        """
        if path := self.variables.get(f"{name}_FILE"):
            try:
                return Path(path).read_text(encoding="utf-8").strip() or default
            except OSError as err:
                raise ImproperlyConfigured(
                    f"{name}_FILE names {path}, which cannot be read: {err.strerror}."
                ) from err
            except UnicodeDecodeError as err:
                raise ImproperlyConfigured(
                    f"{name}_FILE names {path}, which is not text in UTF-8."
                ) from err
        return self.variables.get(name, "").strip() or default

    def number(self, name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
        """A whole number from ``minimum`` to ``maximum``."""
        text = self.text(name)
        if not text:
            return default
        try:
            value = int(text)
        except ValueError as err:
            raise ImproperlyConfigured(f"{name} is {text!r}; it must be a whole number.") from err
        if not minimum <= value <= maximum:
            raise ImproperlyConfigured(
                f"{name} is {value}; it must be between {minimum} and {maximum}."
            )
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """yes or no, 1 or 0, true or false, on or off."""
        text = self.text(name, str(default)).lower()
        if text not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} is {text!r}; it must be 1 or 0.")
        return text in TRUE

    def checked(self, name: str, default: str, check: Callable[[str], object], wanted: str) -> str:
        """Text for which ``check`` raises no ValueError, KeyError or OSError; ``wanted`` says
        what it must be. Its value is not repeated.
        """
        text = self.text(name, default)
        self._check(name, text, check, wanted)
        return text

    def checked_items(self, name: str, check: Callable[[str], object], wanted: str) -> list[str]:
        """As ``checked``, for each of a list."""
        items = self.items(name)
        for item in items:
            self._check(name, item, check, wanted)
        return items

    def _check(self, name: str, text: str, check: Callable[[str], object], wanted: str) -> None:
        try:
            check(text)
        except (ValueError, KeyError, OSError):
            # Not chained and not quoted: the value may hold a password.
            raise ImproperlyConfigured(f"{name} must be {wanted}.") from None

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """One of ``choices``, which are in capitals; the variable may be in small letters."""
        text = self.text(name, default).upper()
        if text not in choices:
            raise ImproperlyConfigured(
                f"{name} is {text!r}; it must be one of {', '.join(choices)}."
            )
        return text

    def items(self, name: str, default: str = "") -> list[str]:
        """A list separated by commas."""
        return [item.strip() for item in self.text(name, default).split(",") if item.strip()]

    def prefixed(self, prefix: str) -> dict[str, str]:
        """All variables that begin with ``prefix``, without it, files resolved; empty ones count
        as not set.
        """
        names = {name.removesuffix("_FILE") for name in self.variables if name.startswith(prefix)}
        return {
            name.removeprefix(prefix): value for name in sorted(names) if (value := self.text(name))
        }
