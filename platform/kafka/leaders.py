"""Noticing that a client has lost its partitions for good.

A broker that comes back empty counts its leader epochs from 0. To librdkafka that is old news: in a client that has seen a higher epoch the
partitions stay without a leader, also when their topics are made again, and nothing is read from them any more. Only a new client helps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

LOOK_MS: Final = 2000
LOOKS: Final = 2
# A partition may be without a leader because its brokers are gone: a new client would not find one either, so not many are made.
REST_SECONDS: Final = 30.0


class Leaders:
    """What librdkafka's statistics say about the leaders of a client's partitions. They are served by the client's ``poll``."""

    def __init__(self) -> None:
        self.lost = False
        self._looks = 0
        self._rest_until = 0.0

    @property
    def configuration(self) -> dict[str, Any]:
        """What the client is to be made with."""
        return {"statistics.interval.ms": LOOK_MS, "stats_cb": self.look}

    def look(self, statistics: str) -> None:
        """librdkafka's callback: ``lost`` once a partition that had a leader has none, twice in a row, while a broker is connected."""
        found = orjson.loads(statistics)
        leaderless = any(item["leader"] == -1 and item["leader_epoch"] >= 0 for item in _partitions(found))
        self._looks = self._looks + 1 if leaderless and _connected(found) else 0
        self.lost = self._looks >= LOOKS and time.monotonic() >= self._rest_until

    def renewed(self) -> None:
        """There is a new client."""
        self.lost = False
        self._looks = 0
        self._rest_until = time.monotonic() + REST_SECONDS


def _partitions(statistics: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of all topics; the statistics' format is librdkafka's STATISTICS.md."""
    return (item for topic in statistics.get("topics", {}).values() for item in topic["partitions"].values())


def _connected(statistics: Mapping[str, Any]) -> bool:
    return any(broker["state"] == "UP" and broker["nodeid"] >= 0 for broker in statistics.get("brokers", {}).values())
