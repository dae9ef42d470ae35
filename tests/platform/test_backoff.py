from __future__ import annotations

from sightline.backoff import Backoff


def test_delays_double_up_to_a_limit_with_jitter() -> None:
    backoff = Backoff(first=1, most=8)
    delays = [backoff.next() for _ in range(40)]

    for delay, ceiling in zip(delays, [1, 2, 4, *[8] * 37], strict=True):
        assert ceiling / 2 <= delay <= ceiling
    assert len(set(delays[3:])) > 1


def test_health_begins_it_anew() -> None:
    backoff = Backoff(first=1, most=8)
    for _ in range(5):
        backoff.next()

    backoff.reset()

    assert backoff.next() <= 1
