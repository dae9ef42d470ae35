from __future__ import annotations

from sightline.base.backoff import Backoff


def test_delays_double_up_to_a_limit_with_jitter() -> None:
    backoff = Backoff(first=1, maximum=8)
    delays = [backoff.next() for _ in range(40)]

    for delay, ceiling in zip(delays, [1, 2, 4, *[8] * 37], strict=True):
        assert ceiling / 2 <= delay <= ceiling
    assert len(set(delays[3:])) > 1


def test_health_begins_it_anew() -> None:
    backoff = Backoff(first=1, maximum=8)
    for _ in range(5):
        backoff.next()

    backoff.reset()

    assert backoff.next() <= 1


def test_there_are_only_so_many_tries_a_minute_also_when_it_works_in_between() -> None:
    now = 0.0
    backoff = Backoff(a_minute=5, clock=lambda: now)
    tries = []
    for _ in range(40):
        now += backoff.next()
        tries.append(now)
        now += 2
        backoff.reset()

    assert all(later - earlier > 59.9 for earlier, later in zip(tries, tries[5:], strict=False))
    assert tries[4] < 15, "the first ones come soon"
