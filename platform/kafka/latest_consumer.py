"""Reading what is new as a member of a group, and reading on where the group has lost us."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from sightline.kafka.connection import OFFSET_END, OnPartitions, Partition, Record
from sightline.kafka.consumer import Consumer
from sightline.kafka.topics import Topic

log = logging.getLogger(__name__)


class LatestConsumer(Consumer):
    """For pictures, of which only new ones count: shares partitions with its group, each from its
    end on.

    A broker that was away for longer than the session (6 s) takes its members for new ones and
    has them wait until the session that it remembers is over. Until the group says anew whose
    the partitions are, ours are read on without it, by a second connection. ``on_revoke`` is
    told only then. Meanwhile a partition may be read by the member that it went to, too.
    """

    def __init__(self, group: str) -> None:
        super().__init__(group)
        self._stopgap = Consumer()
        self._held: set[Partition] = set()

    def follow(
        self, topics: Iterable[Topic], *, on_assign: OnPartitions, on_revoke: OnPartitions
    ) -> None:
        """Share ``topics`` with the group, instead of those before."""

        def assigned(partitions: Sequence[Partition]) -> None:
            if self._held:
                on_revoke(self._let_go_of())
            on_assign(partitions)

        self.subscribe(
            topics, offset=OFFSET_END, on_assign=assigned, on_revoke=on_revoke, on_lost=self._hold
        )

    def poll(self, timeout: float) -> Record | None:
        """As `Consumer.poll`."""
        if not self._held:
            return super().poll(timeout)
        return super().poll(0) or self._stopgap.poll(timeout)

    def close(self) -> None:
        """Leave the group, read nothing any more."""
        super().close()
        self._let_go_of()

    def _hold(self, partitions: Sequence[Partition]) -> None:
        new = set(partitions) - self._held
        log.info(
            "kafka group lost, reading on without it group=%s partitions=%d", self.group, len(new)
        )
        for topic, number in new:
            self._stopgap.watch(Topic(topic), number, OFFSET_END)
        self._held |= new

    def _let_go_of(self) -> list[Partition]:
        held = sorted(self._held)
        self._held.clear()
        self._stopgap.close()
        return held
