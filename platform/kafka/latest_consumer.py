"""Reading what is new as a member of a group, and outside it while the group makes us wait."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sightline.kafka.connection import OFFSET_END, OnPartitions, Partition, Record
from sightline.kafka.group_consumer import GroupConsumer
from sightline.kafka.partition_reader import PartitionReader
from sightline.kafka.topics import Topic

log = logging.getLogger(__name__)


class LatestConsumer(GroupConsumer):
    """For frames, of which only new ones count: shares partitions with its group, each from its
    end on.

    A broker that was away for longer than the session (6 s) takes its members for new ones and
    makes them wait until the session that it remembers is over. Until the group assigns partitions
    again, the lost ones are read outside it, by a second connection, and ``on_revoke`` is told
    only then. Meanwhile their new owner in the group may read them, too.
    """

    def __init__(self, group: str) -> None:
        super().__init__(group)
        self._fallback = PartitionReader()
        self._fallen_back: set[Partition] = set()

    def follow(
        self, topics: Iterable[Topic], *, on_assign: OnPartitions, on_revoke: OnPartitions
    ) -> None:
        """Share ``topics`` with the group, instead of those before."""

        def assigned(partitions: Sequence[Partition]) -> None:
            if self._fallen_back:
                on_revoke(self._end_fallback())
            on_assign(partitions)

        self.subscribe(
            topics,
            offset=OFFSET_END,
            on_assign=assigned,
            on_revoke=on_revoke,
            on_lost=self._fall_back,
        )

    def poll(self, timeout: float) -> Record | None:
        if not self._fallen_back:
            return super().poll(timeout)
        return super().poll(0) or self._fallback.poll(timeout)

    def close(self) -> None:
        super().close()
        self._end_fallback()

    def _fall_back(self, partitions: Sequence[Partition]) -> None:
        new = set(partitions) - self._fallen_back
        log.info(
            "kafka group lost, reading on without it group=%s partitions=%d", self.group, len(new)
        )
        for topic, number in new:
            self._fallback.watch(Topic(topic), number, OFFSET_END)
        self._fallen_back |= new

    def _end_fallback(self) -> list[Partition]:
        partitions = sorted(self._fallen_back)
        self._fallen_back.clear()
        self._fallback.close()
        return partitions
