"""What the soak says of a process: leaks are told from memory that comes and goes."""

from __future__ import annotations

import os
import random

import pytest

from benchmarks.growth import Course, Held, Judgement, Slope
from benchmarks.processes import MIB

WARM_UP = 300.0


def course(mib_an_hour: float, descriptors_an_hour: float = 0.0, minutes: int = 30) -> Course:
    """Memory that is taken and given back all the time, on a floor that grows by so much."""
    dice = random.Random(7)
    made = Course()
    for second in range(0, minutes * 60, 5):
        peak = dice.uniform(0, 8) if second % 60 else 0
        memory = int((100 + mib_an_hour * second / 3600 + peak) * MIB)
        made.seen.append(
            (
                float(second),
                Held(memory, 2 * memory, 30 + int(descriptors_an_hour * second / 3600), 12),
            )
        )
    return made


def test_the_slope_of_a_line_is_its_own_whatever_a_few_points_say() -> None:
    points = [(60.0 * number, 10.0 + number) for number in range(20)]
    points[5], points[12] = (300.0, 900.0), (720.0, 0.0)

    slope = Slope.through(points)

    assert slope.value == pytest.approx(60)
    assert slope.low <= 60 <= slope.high


@pytest.mark.parametrize(
    ("memory", "descriptors", "verdict"),
    [(0.0, 0.0, "flat"), (0.5, 0.0, "flat"), (5.0, 0.0, "GROWS"), (0.0, 6.0, "GROWS")],
)
def test_a_process_is_judged_by_the_floor_that_it_comes_back_to(
    memory: float, descriptors: float, verdict: str
) -> None:
    judgement = Judgement.of("web", course(memory, descriptors), WARM_UP)

    assert judgement is not None
    assert judgement.verdict == verdict
    assert judgement.own.value == pytest.approx(memory, abs=0.1)


def test_too_few_minutes_say_nothing() -> None:
    assert Judgement.of("web", course(0.0, minutes=6), WARM_UP) is None


def test_a_process_is_looked_at() -> None:
    held = Held.by(os.getpid())

    assert 0 < held.own <= held.rss
    assert held.descriptors > 2
    assert held.threads >= 1
