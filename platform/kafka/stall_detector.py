"""Noticing that a client has lost its partitions for good.

A broker that comes back empty counts its leader epochs from 0, and so does a topic that was
deleted and made anew. To librdkafka that is old news: in a client that has seen a higher epoch
the partitions stay without a leader, or with the one they had, and nothing is read from them any
more. A broker that was frozen names no brokers at all for a moment, not even itself. librdkafka
then forgets all that it had, and one that it learns of again it may never connect to: the client
asks nobody any more, and its group goes on without it. Only a new client helps.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from sightline.base.backoff import Backoff

LOOK_MS: Final = 1000
LEADERLESS_LOOKS: Final = 4
UNREAD_LOOKS: Final = 2
UNCONNECTED_SECONDS: Final = 5.0
# There may be other reasons that a new client can do nothing about, such as brokers that are gone:
# ever fewer are made, until one reads.
REST_SECONDS: Final = 2.0
MAX_REST_SECONDS: Final = 10.0


class StallDetector:
    """What librdkafka's statistics say about the leaders of a client's partitions. They are
    served by the client's ``poll``.
    """

    def __init__(self) -> None:
        self.lost = False
        self._leaderless = 0
        self._unread = 0
        self._rest = Backoff(REST_SECONDS, MAX_REST_SECONDS)
        self._rest_until = 0.0

    @property
    def configuration(self) -> dict[str, Any]:
        """What the client is to be made with."""
        return {"statistics.interval.ms": LOOK_MS, "stats_cb": self.look}

    def look(self, statistics: str) -> None:
        """librdkafka's callback: ``lost`` once a partition that had a leader has none, or has one
        that it is not read from, or the client does not even try to connect to any broker.

        The first two several times in a row while a broker is connected, because each may be so
        for a moment.
        """
        found = orjson.loads(statistics)
        known = (
            [item for item in _partitions(found) if item["leader_epoch"] >= 0]
            if _connected(found)
            else []
        )
        self._leaderless = (
            self._leaderless + 1 if any(item["leader"] == -1 for item in known) else 0
        )
        self._unread = self._unread + 1 if any(map(_is_unread, known)) else 0
        if known and not (self._leaderless or self._unread):
            self._rest_until = 0.0
            self._rest.reset()
        lost = (
            self._unread >= UNREAD_LOOKS
            or self._leaderless >= LEADERLESS_LOOKS
            or _tries_none(found)
        )
        self.lost = lost and time.monotonic() >= self._rest_until

    def renewed(self) -> None:
        """There is a new client."""
        self.lost = False
        self._leaderless = self._unread = 0
        self._rest_until = time.monotonic() + self._rest.next()


def _is_unread(partition: Mapping[str, Any]) -> bool:
    """Wanted, there, with a leader, and yet asked of no broker, or of one that answers with an
    error, which has no end of the log in it.
    """
    at_hand = partition["desired"] and not partition["unknown"] and partition["leader"] != -1
    return bool(at_hand and -1 in (partition["broker"], partition["hi_offset"]))


def _partitions(statistics: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of all topics; the statistics' format is librdkafka's STATISTICS.md."""
    return (
        item
        for topic in statistics.get("topics", {}).values()
        for item in topic["partitions"].values()
    )


def _tries_none(statistics: Mapping[str, Any]) -> bool:
    """Whether the client has topics to read, and all brokers have stood for a while as on the day
    they were made.

    One that is away stands so between two attempts, of which there are several a second.
    """
    return bool(statistics.get("topics")) and all(
        map(_is_left_alone, statistics.get("brokers", {}).values())
    )


def _is_left_alone(broker: Mapping[str, Any]) -> bool:
    return bool(broker["state"] == "INIT" and broker["stateage"] > UNCONNECTED_SECONDS * 1_000_000)


def _connected(statistics: Mapping[str, Any]) -> bool:
    return any(
        broker["state"] == "UP" and broker["nodeid"] >= 0
        for broker in statistics.get("brokers", {}).values()
    )
