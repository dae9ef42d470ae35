from __future__ import annotations

from inference.runtimes.servers.breaker import FAILURES_TO_OPEN, Breaker, BreakerState


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.admit()
        breaker.failed()
    return breaker


def test_it_opens_after_five_failures_in_a_row() -> None:
    breaker = Breaker(Clock())
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()
    closed, admitted = breaker.state, breaker.admit()

    breaker.failed()

    assert (closed, admitted) == (BreakerState.CLOSED, True)
    assert (breaker.state, breaker.admit()) == (BreakerState.OPEN, False)
    assert 0.5 <= breaker.retry_after <= 1.0


def test_it_lets_one_call_through_when_the_time_has_come() -> None:
    clock = Clock()
    breaker = broken(clock)

    clock.now = 1.0

    assert breaker.state is BreakerState.HALF_OPEN
    assert [breaker.admit() for _ in range(3)] == [True, False, False]


def test_it_closes_when_that_call_is_answered() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 1.0
    breaker.admit()

    breaker.succeeded()

    assert breaker.state is BreakerState.CLOSED
    assert [breaker.admit() for _ in range(3)] == [True, True, True]


def test_it_waits_longer_after_each_vain_try_up_to_8_seconds() -> None:
    clock = Clock()
    breaker = broken(clock)
    waits = []
    for _ in range(8):
        waits.append(breaker.retry_after)
        clock.now += breaker.retry_after
        assert breaker.admit()
        breaker.failed()

    assert all(
        low <= wait <= high
        for wait, low, high in zip(
            waits, (0.5, 1, 2, 4, 4, 4, 4, 4), (1, 2, 4, 8, 8, 8, 8, 8), strict=True
        )
    )


def test_who_refuses_at_once_is_soon_asked_again() -> None:
    clock = Clock()
    breaker = broken(clock)
    for _ in range(8):
        clock.now += breaker.retry_after
        assert breaker.admit()
        breaker.failed(refused=True)
        assert 0.5 <= breaker.retry_after <= 1.0


def test_a_call_that_says_nothing_about_the_server_leaves_it_half_open() -> None:
    clock = Clock()
    breaker = broken(clock)
    clock.now = 1.0
    breaker.admit()

    breaker.left()

    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.admit()
