"""What a process uses, as Linux tells it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

MIB = 2**20


def processor_seconds(pid: int) -> float:
    """The processor time that the threads of a process have used, to the nanosecond; those that
    have ended do not count.
    """
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def descendants(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in (task / "children").read_text().split():
                found += descendants(int(child))
    return found


def proportional_bytes(pid: int) -> int:
    """What a process occupies, its part of shared pages included (Linux's PSS); 0 when it has
    ended.
    """
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def quantiles(values: Sequence[float]) -> str:
    """p50, p95 and p99 in ms."""
    return "  ".join(f"p{share} {quantile(values, share):6.1f} ms" for share in (50, 95, 99))


def quantile(values: Sequence[float], share: int) -> float:
    """The value below which ``share`` percent lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


def slope(values: Sequence[float], seconds: float) -> float:
    """Growth an hour of a value noted every ``seconds``: the median of the last third against
    that of the first third.
    """
    third = max(1, len(values) // 3)
    growth = sorted(values[-third:])[third // 2] - sorted(values[:third])[third // 2]
    return growth * 3600 / (max(1, len(values) - third) * seconds)
