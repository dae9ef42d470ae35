from __future__ import annotations

import time

import pytest

from streaming.hub import deliveries as module
from streaming.hub.deliveries import Deliveries, Way
from tests.support import frame


def test_what_was_sent_is_counted_by_camera_and_way() -> None:
    deliveries = Deliveries()
    for way in (Way.WALL, Way.WALL, Way.STREAM):
        deliveries.sent(way, frame("gate"), 100)

    found = {key: (delivery.frames, delivery.bytes) for key, delivery in deliveries.all().items()}

    assert found == {("gate", Way.WALL): (2, 200), ("gate", Way.STREAM): (1, 100)}
    counts, seconds = deliveries.all()["gate", Way.WALL].age.state()
    assert counts[-1] == 2
    assert 0 <= seconds < 60


def test_a_camera_that_nobody_watches_any_more_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliveries = Deliveries()
    deliveries.sent(Way.WALL, frame("gate"), 100)

    later = time.monotonic() + module.FORGOTTEN_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)

    assert deliveries.all() == {}


def test_cameras_without_number_count_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CAMERAS", 2)
    deliveries = Deliveries()
    for number in range(10):
        deliveries.sent(Way.WALL, frame(f"c{number}"), 1)

    found = deliveries.all()

    assert len(found) == 5
    assert found["other", Way.WALL].frames == 6
