from __future__ import annotations

import time

import pytest

from sightline.kafka import Admin, Producer, TopicWatchdog, topics, watchdog
from sightline.kafka.watchdog import STUCK_SECONDS
from tests.servers.waiting import wait_until

DOCK = topics.frames("dock")


def test_a_delivered_record_is_not_stuck_because_its_sender_polls_rarely(
    embedded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Admin] = []

    def admin() -> Admin:
        asked.append(Admin())
        return asked[-1]

    monkeypatch.setattr(watchdog, "Admin", admin)
    producer = Producer()
    checker = TopicWatchdog(producer)
    producer.send(DOCK, b"")
    wait_until(lambda: producer.serve(0.1) and producer.delivered, 20, "the topic to be there")

    producer.send(DOCK, b"")
    until = time.monotonic() + 2 * STUCK_SECONDS
    while time.monotonic() < until:
        checker.check()
    assert producer.delivered == 2
    assert asked == []


def test_a_refused_record_is_not_stuck(embedded: str) -> None:
    producer = Producer()
    assert not producer.send(DOCK, bytes(64 * 1024 * 1024))
    assert producer.pop_stuck(0) == []
    producer.flush(5)
