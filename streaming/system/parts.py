"""What the system page says about a part of the system: a colour, words, facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from streaming.advice import advised


class Level(StrEnum):
    """How a part does. ``note``: it works, and there is something to know. ``wait``: nothing is
    known (yet).
    """

    OK = "ok"
    NOTE = "note"
    WAIT = "wait"
    WARN = "warn"
    BAD = "bad"


SEVERITY = {level: severity for severity, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is worth a sentence: what happened, and what to do. ``command`` is a sentence
    with a shell command that helps, for those who administer.
    """

    level: Level
    text: str
    command: str = ""

    def as_json(self, *, administers: bool) -> dict[str, str]:
        """For the page's script, in words for its reader."""
        return {"level": self.level, "text": advised(self.text, self.command, administers)}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the system. ``facts`` are names and values for people; ``href`` is the page that
    shows more.
    """

    name: str
    title: str
    words: str
    facts: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    href: str = ""

    @property
    def level(self) -> Level:
        """That of the worst finding; without any, all is well."""
        return worst(finding.level for finding in self.findings)

    def as_json(self, *, administers: bool) -> dict[str, Any]:
        """For the page's script, in words for its reader."""
        findings = [finding.as_json(administers=administers) for finding in self.findings]
        return asdict(self) | {"level": self.level, "findings": findings}


def worst(levels: Iterable[Level]) -> Level:
    """The most severe of them."""
    return max(levels, key=SEVERITY.__getitem__, default=Level.OK)


def plural(count: int, one: str, many: str = "") -> str:
    """ "1 camera", "2 cameras"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(count: float) -> str:
    """Bytes as people read them: "1.5 MB"."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
