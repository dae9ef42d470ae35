"""Does a process grow? What it holds, noted again and again, and a slope that single peaks and
steps do not move.

A process that works takes memory and gives it back: what tells a leak is the floor that it comes
back to. So the smallest value of each minute counts, and through these goes the line of Theil
and Sen: the median of the slopes between all pairs of points. Its 95 % interval is Sen's (P. K.
Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from benchmarks.processes import MIB

HOUR = 3600.0
FLOOR_SECONDS = 60.0
MIN_POINTS = 3
MAX_MIB_AN_HOUR = 1.0
NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: memory in bytes (``own``: without what files back, whose part
    changes as others who share it come and go), open descriptors, threads.
    """

    own: int
    rss: int
    descriptors: int
    threads: int

    @classmethod
    def by(cls, pid: int) -> Held:
        """As Linux tells it now; OSError when there is no such process. smaps_rollup would say
        the same, but holds the process up for 13 ms.
        """
        process = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        if "VmRSS" not in status:
            raise ProcessLookupError(f"{pid} has ended")
        own, rss = (int(status[name].split()[0]) * 1024 for name in ("RssAnon", "VmRSS"))
        return cls(
            own, rss, len(list((process / "fd").iterdir())), len(list((process / "task").iterdir()))
        )


@dataclass(frozen=True, slots=True)
class Slope:
    """Growth an hour, and between which bounds it lies with 95 % certainty."""

    value: float
    low: float
    high: float

    @classmethod
    def through(cls, points: Sequence[tuple[float, float]]) -> Slope:
        """Of values noted at times in seconds; ValueError of fewer than two."""
        slopes = sorted(
            (later[1] - sooner[1]) / (later[0] - sooner[0]) * HOUR
            for sooner, later in combinations(points, 2)
        )
        count, pairs = len(points), len(slopes)
        spread = NORMAL_95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
        low, high = int((pairs - spread) / 2), math.ceil((pairs + spread) / 2)
        return cls(statistics.median(slopes), slopes[max(0, low)], slopes[min(pairs - 1, high)])


@dataclass(slots=True)
class Course:
    """What one process held in the course of time: seconds since the start, and what was seen."""

    seen: list[tuple[float, Held]] = field(default_factory=list)

    def floors(self, name: str, since: float = 0.0) -> list[tuple[float, float]]:
        """The smallest value of each whole minute after ``since``, with the minute's end."""
        minutes: dict[int, float] = {}
        for at, held in self.seen:
            if at >= since:
                minute = int((at - since) / FLOOR_SECONDS)
                minutes[minute] = min(minutes.get(minute, math.inf), getattr(held, name))
        return [
            (since + (minute + 1) * FLOOR_SECONDS, value)
            for minute, value in sorted(minutes.items())
        ]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A process's growth after the warm-up; memory in MiB. ``verdict`` is "flat", "GROWS", or
    "open" when so few minutes cannot tell.
    """

    name: str
    memory: float
    own: Slope
    rss: Slope
    descriptors: tuple[int, int]
    threads: tuple[int, int]
    verdict: str

    @classmethod
    def of(cls, name: str, course: Course, warm_up: float) -> Judgement | None:
        """None when there are too few minutes after ``warm_up`` seconds."""
        own, rss = (_in_mib(course.floors(what, warm_up)) for what in ("own", "rss"))
        if len(own) < MIN_POINTS:
            return None
        descriptors, threads = (course.floors(what, warm_up) for what in ("descriptors", "threads"))
        memory = Slope.through(own)
        grows = memory.low > MAX_MIB_AN_HOUR or _grows(descriptors) or _grows(threads)
        verdict = "GROWS" if grows else "flat" if memory.high <= MAX_MIB_AN_HOUR else "open"
        return cls(
            name,
            own[-1][1],
            memory,
            Slope.through(rss),
            _ends(descriptors),
            _ends(threads),
            verdict,
        )

    @property
    def line(self) -> str:
        """For people."""
        interval = f"{self.own.low:+.1f} … {self.own.high:+.1f}"
        counts = "  ".join(
            f"{first:>4} → {last:<4}" for first, last in (self.descriptors, self.threads)
        )
        return (
            f"{self.name:<10}{self.memory:8.1f}{self.own.value:+10.2f} "
            f" {interval:<18}{self.rss.value:+9.2f}   {counts}  {self.verdict}"
        )


HEADING = (
    f"{'process':<10}{'MiB':>8}{'MiB/h':>10}  {'(95 %)':<18}{'RSS/h':>9}   descriptors   threads"
)


def _in_mib(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(at, value / MIB) for at, value in points]


def _grows(points: Sequence[tuple[float, float]]) -> bool:
    """Whether a count goes up by one or more from the first to the last point of its line."""
    return Slope.through(points).value * (points[-1][0] - points[0][0]) / HOUR >= 1


def _ends(points: Sequence[tuple[float, float]]) -> tuple[int, int]:
    return int(points[0][1]), int(points[-1][1])
