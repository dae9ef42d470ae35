"""Reading as a member of a consumer group."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition

from sightline.kafka.connection import OnPartitions, Partition, next_offsets
from sightline.kafka.consumer import Consumer
from sightline.kafka.topics import Topic

log = logging.getLogger(__name__)


class GroupConsumer(Consumer):
    """Shares topics with the other members of its group."""

    def __init__(self, group: str, **overrides: Any) -> None:
        super().__init__(group, **overrides)
        self._subscribe: Callable[[], None] | None = None
        self._releasing = False

    @property
    def subscribed(self) -> bool:
        """Whether ``subscribe`` was called."""
        return self._subscribe is not None

    def subscribe(
        self,
        topics: Iterable[Topic],
        *,
        offset: int | None = None,
        on_assign: OnPartitions | None = None,
        on_revoke: OnPartitions | None = None,
        on_lost: OnPartitions | None = None,
    ) -> None:
        """Share ``topics`` with the group; leave it if there are none. ``offset``: where to begin
        in each new partition, instead of the committed offset.

        ``on_lost``: the group went on without this member, or cannot be reached; without it,
        ``on_revoke`` is told.
        """

        def assigned(client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            if offset is not None:
                for partition in partitions:
                    partition.offset = offset
            client.incremental_assign(partitions)
            self._recovery.on_assign(empty=not partitions)
            _tell(on_assign, partitions)

        def revoked(client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            # To the owner it is as if the group had gone on without this member.
            if self._releasing:
                lost(client, partitions)
            else:
                _tell(on_revoke, partitions)
            client.incremental_unassign(partitions)

        def lost(_client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            if partitions:
                self._recovery.on_lost()
            _tell(on_lost or on_revoke, partitions)

        names = [topic.name for topic in topics]
        if not names:
            self.close()
            return
        self._subscribe = lambda: self.client.subscribe(
            names, on_assign=assigned, on_revoke=revoked, on_lost=lost
        )
        self._subscribe()

    def commit_offsets(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> bool:
        """Commit where the group goes on; with ``wait``, whether the broker has it. False, too,
        if the group went on without this member.
        """
        if not offsets:
            return True
        try:
            self.client.commit(offsets=next_offsets(offsets), asynchronous=not wait)  # type: ignore[call-overload]
        except KafkaException as err:
            log.info(
                "kafka offsets not committed group=%s reason=%s", self.group, err.args[0].str()
            )
            return False
        return True

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Fetch nothing of these partitions; ``poll`` still keeps the membership."""
        self.client.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Fetch again after ``pause``."""
        self.client.resume([TopicPartition(*partition) for partition in partitions])

    def seek(self, partition: Partition, offset: int) -> bool:
        """Go on reading an assigned partition at ``offset``; whether that could be done."""
        try:
            self.client.seek(TopicPartition(*partition, offset))
        except KafkaException as err:
            log.info(
                "kafka seek failed topic=%s partition=%s reason=%s", *partition, err.args[0].str()
            )
            return False
        return True

    def lag(self) -> int:
        """How many records its partitions hold beyond those read, by what the broker said with
        its last answers. For the thread that reads.
        """
        if self._client is None:
            return 0
        try:
            positions = [
                (position.offset, self._client.get_watermark_offsets(position, cached=True)[1])
                for position in self._client.position(self._client.assignment())
            ]
        except KafkaException:
            return 0
        return sum(max(0, end - offset) for offset, end in positions if offset >= 0)

    def close(self) -> None:
        """Leave the group."""
        self._subscribe = None
        super().close()

    def _release(self) -> None:
        self._releasing = True
        try:
            self._disconnect()
        finally:
            self._releasing = False

    def _resume(self) -> None:
        if self._subscribe is not None:
            self._subscribe()


def _tell(listener: OnPartitions | None, partitions: Iterable[TopicPartition]) -> None:
    if listener is not None:
        listener([(item.topic, item.partition) for item in partitions])
