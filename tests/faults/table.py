"""The fault table: what each fault test measured, kept as JSON lines, and written to
docs/faults.md by `python -m tests.faults`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

FOLDER = "FAULTS_TABLE"
"""The environment variable that names the folder for the rows. Without it rows are checked and
forgotten.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. Seconds, MiB (the growth of the process that grew most), pictures or records; None
    = there is nothing to measure.

    `detect_s`: until somebody who looks is told; `recover_s`: from the end of the fault until
    all is well again. `secrets` names the logs in which a planted password was found, "" for
    none. `missed` is what else was not as expected.
    """

    fault: str
    expected: str
    detect_s: float | None = None
    recover_s: float | None = None
    bound_detect_s: float | None = None
    bound_recover_s: float | None = None
    memory_mib: float | None = None
    bound_memory_mib: float | None = None
    dropped: int | None = None
    secrets: str = ""
    note: str = ""
    missed: str = ""

    @property
    def failures(self) -> list[str]:
        """What is out of its bound, in words."""
        pairs = {
            "noticed after {} s, bound {} s": (self.detect_s, self.bound_detect_s),
            "well again after {} s, bound {} s": (self.recover_s, self.bound_recover_s),
            "grew by {} MiB, bound {} MiB": (self.memory_mib, self.bound_memory_mib),
        }
        found = [
            text.format(_number(value), _number(bound))
            for text, (value, bound) in pairs.items()
            if _beyond(value, bound)
        ]
        if self.secrets:
            found.append(f"a planted password is in {self.secrets}")
        return [*found, self.missed] if self.missed else found

    @classmethod
    def from_json(cls, text: str) -> Self:
        """A line of the table's file."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


def _beyond(value: float | None, bound: float | None) -> bool:
    return value is not None and bound is not None and value > bound


class Table:
    """Takes the rows of one test."""

    def __init__(self, test: str) -> None:
        """`test` is the test's own name with its folder and file, as pytest says it."""
        self.path = (
            Path(os.environ[FOLDER]) / f"{_file_name(test)}.jsonl" if FOLDER in os.environ else None
        )
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)

    def add(self, row: Row) -> None:
        """Record the row; AssertionError when it is out of its bounds."""
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row)) + "\n")
        assert not row.failures, f"{row.fault}: {'; '.join(row.failures)}"


def _file_name(test: str) -> str:
    return "".join(
        character if character.isalnum() else "-"
        for character in test.removeprefix("tests/faults/")
    )


def read(folder: Path) -> dict[str, list[Row]]:
    """The rows that the tests left in `folder`, by the file of the tests (cameras, broker ...)."""
    found: dict[str, list[Row]] = {}
    for path in sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns):
        section = path.name.removeprefix("test_").removeprefix("test-").split("-py")[0]
        found.setdefault(section, []).extend(
            Row.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()
        )
    return found


HEAD = """\
| Fault | Expected | Noticed (s) | Well again (s) | Memory (MiB) | Dropped | Secrets in logs | |
|---|---|---|---|---|---|---|---|
"""


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a table; each figure with its bound in brackets."""
    return HEAD + "".join(_line(row) for row in rows)


def _line(row: Row) -> str:
    verdict = f"**Missed:** {'; '.join(row.failures)}. " if row.failures else ""
    cells = [
        row.fault,
        row.expected,
        _bounded(row.detect_s, row.bound_detect_s),
        _bounded(row.recover_s, row.bound_recover_s),
        _bounded(row.memory_mib, row.bound_memory_mib),
        "" if row.dropped is None else str(row.dropped),
        row.secrets or "none",
        verdict + row.note,
    ]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"


def _bounded(value: float | None, bound: float | None) -> str:
    if value is None:
        return ""
    return _number(value) if bound is None else f"{_number(value)} ({_number(bound)})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}".removesuffix(".0")
