from __future__ import annotations

from streaming.wall.rate_limit import RateLimit


def test_an_allowance_gives_a_burst_and_then_the_rate() -> None:
    allowance = RateLimit(rate=20, burst=50)
    assert sum(allowance.take(100.0) for _ in range(100)) == 50
    assert sum(allowance.take(101.0) for _ in range(100)) == 20
    assert sum(allowance.take(200.0) for _ in range(100)) == 50
