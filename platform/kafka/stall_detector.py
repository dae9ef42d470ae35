"""Noticing that a client has lost its partitions for good.

A broker that comes back empty counts its leader epochs from 0, and so does a topic that was
deleted and recreated. librdkafka takes these for stale news: in a client that has seen a higher
epoch the partitions stay without a leader, or keep the old one, and nothing is read from them any
more. A broker that was frozen lists no brokers at all for a moment, not even itself. librdkafka
then forgets all that it knew, and may never connect to one that it learns of again: the client
sends no more requests, and its group goes on without it. Only a new client helps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from sightline.kafka.cooldown import Cooldown

INTERVAL_MS: Final = 1000
LEADERLESS_INTERVALS: Final = 4
UNREAD_INTERVALS: Final = 2
UNCONNECTED_SECONDS: Final = 5.0
# There may be other reasons that a new client can do nothing about, such as brokers that are gone:
# fewer and fewer are made, until one reads.
COOLDOWN_SECONDS: Final = 2.0
MAX_COOLDOWN_SECONDS: Final = 10.0


class StallDetector:
    """Judges the leaders of a client's partitions by librdkafka's statistics, which the client's
    ``poll`` serves. ``lost``: a new client is needed.
    """

    def __init__(self) -> None:
        self.lost = False
        self._leaderless = 0
        self._unread = 0
        self._cooldown = Cooldown(COOLDOWN_SECONDS, MAX_COOLDOWN_SECONDS)

    @property
    def configuration(self) -> dict[str, Any]:
        """What the client must be made with."""
        return {"statistics.interval.ms": INTERVAL_MS, "stats_cb": self.on_statistics}

    def on_statistics(self, statistics: str) -> None:
        """librdkafka's callback: ``lost`` once a partition that had a leader has none, or has one
        that it is not read from, or the client does not even try to connect to any broker.

        The first two only several times in a row while a broker is connected, because each may
        happen for a moment.
        """
        found = orjson.loads(statistics)
        known = (
            [item for item in _partitions(found) if item["leader_epoch"] >= 0]
            if _is_connected(found)
            else []
        )
        self._leaderless = (
            self._leaderless + 1 if any(item["leader"] == -1 for item in known) else 0
        )
        self._unread = self._unread + 1 if any(map(_is_unread, known)) else 0
        if known and not (self._leaderless or self._unread):
            self._cooldown.reset()
        lost = (
            self._unread >= UNREAD_INTERVALS
            or self._leaderless >= LEADERLESS_INTERVALS
            or _connects_to_none(found)
        )
        self.lost = lost and self._cooldown.is_over

    def on_new_client(self) -> None:
        self.lost = False
        self._leaderless = self._unread = 0
        self._cooldown.start()


def _is_unread(partition: Mapping[str, Any]) -> bool:
    """Wanted, known, with a leader, and yet requested from no broker, or from one that answers
    with an error, which carries no end of the log.
    """
    readable = partition["desired"] and not partition["unknown"] and partition["leader"] != -1
    return bool(readable and -1 in (partition["broker"], partition["hi_offset"]))


def _partitions(statistics: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of all topics; the statistics' format is librdkafka's STATISTICS.md."""
    return (
        item
        for topic in statistics.get("topics", {}).values()
        for item in topic["partitions"].values()
    )


def _connects_to_none(statistics: Mapping[str, Any]) -> bool:
    """Whether the client has topics to read, and all brokers have been in their initial state for
    a while.

    One that is away is in it between two attempts, of which there are several a second.
    """
    return bool(statistics.get("topics")) and all(
        broker["state"] == "INIT" and broker["stateage"] > UNCONNECTED_SECONDS * 1_000_000
        for broker in statistics.get("brokers", {}).values()
    )


def _is_connected(statistics: Mapping[str, Any]) -> bool:
    return any(
        broker["state"] == "UP" and broker["nodeid"] >= 0
        for broker in statistics.get("brokers", {}).values()
    )
