from __future__ import annotations

import itertools
import random

import pytest

from sightline.base.frame_rate import FrameRateLimiter

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def taken(fps: float, times: list[int]) -> list[int]:
    pace = FrameRateLimiter(fps)
    return [time for time in times if pace.takes(START + time)]


def steady(fps: float, seconds: float) -> list[int]:
    return [round(number * SECOND / fps) for number in range(round(fps * seconds))]


@pytest.mark.parametrize(
    ("camera", "wanted"), [(25, 10), (30, 10), (30, 7), (50, 12.5), (15, 10), (60, 0.5)]
)
def test_it_takes_the_wanted_rate_on_average_without_drift(camera: float, wanted: float) -> None:
    times = taken(wanted, steady(camera, 100))

    assert len(times) == pytest.approx(wanted * 100, rel=0.01, abs=1)
    assert times[-1] == pytest.approx(100 * SECOND, abs=1.5 * SECOND / wanted)


def test_frames_are_evenly_spread() -> None:
    times = taken(10, steady(25, 20))
    gaps = {later - earlier for earlier, later in itertools.pairwise(times)}

    assert gaps <= {80_000_000, 120_000_000}


def test_a_camera_at_the_wanted_rate_loses_nothing_to_jitter() -> None:
    random_ = random.Random(1)
    times = [time + random_.randint(-20_000_000, 20_000_000) for time in steady(10, 60)]

    assert len(taken(10, times)) == len(times)


def test_a_slower_camera_loses_nothing() -> None:
    assert len(taken(10, steady(3, 30))) == 90


def test_a_late_burst_is_not_taken_whole() -> None:
    before = steady(25, 2)
    burst = [5 * SECOND + number * 1_000_000 for number in range(75)]
    after = [time + 6 * SECOND for time in steady(25, 2)]

    times = taken(10, before + burst + after)

    assert sum(5 * SECOND <= time < 6 * SECOND for time in times) <= 2
    assert sum(time >= 6 * SECOND for time in times) == pytest.approx(20, abs=1)


def test_a_clock_that_is_put_back_stops_nothing() -> None:
    before = steady(25, 2)
    after = [time - 3600 * SECOND for time in steady(25, 2)]

    assert len([time for time in taken(10, before + after) if time < 0]) == pytest.approx(20, abs=1)
