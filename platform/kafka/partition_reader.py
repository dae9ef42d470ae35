"""Reading chosen partitions, outside any group."""

from __future__ import annotations

import threading
from typing import Any

from confluent_kafka import TopicPartition

from sightline.kafka.connection import OFFSET_END, OFFSET_NEWEST, Partition
from sightline.kafka.consumer import Consumer
from sightline.kafka.topics import Topic


class PartitionReader(Consumer):
    """Reads the partitions that it watches."""

    def __init__(self, **overrides: Any) -> None:
        super().__init__("", **overrides)
        self._watched: dict[Partition, int] = {}

    def watch(self, topic: Topic, partition: int = 0, offset: int = OFFSET_NEWEST) -> None:
        """Begin to read a partition at ``offset``."""
        self.client.incremental_assign([TopicPartition(topic.name, partition, offset)])
        self._watched[topic.name, partition] = offset

    def unwatch(self, topic: Topic, partition: int = 0) -> None:
        """Stop reading a partition."""
        self._watched.pop((topic.name, partition), None)
        self.client.incremental_unassign([TopicPartition(topic.name, partition)])

    def close(self) -> None:
        self._watched.clear()
        super().close()

    def _release(self) -> None:
        self._watched = {
            partition: self._position(partition, start)
            for partition, start in self._watched.items()
        }
        # Closing may wait for a broker that has gone again.
        old, self._client = self.client, None
        threading.Thread(target=old.close, name="kafka-close", daemon=True).start()

    def _resume(self) -> None:
        for (name, partition), offset in self._watched.items():
            self.client.incremental_assign([TopicPartition(name, partition, offset)])

    def _position(self, partition: Partition, start: int) -> int:
        """Where to go on in a watched partition: where the newest was asked for, the newest
        again.
        """
        position = int(self.client.position([TopicPartition(*partition)])[0].offset)
        return start if start in (OFFSET_END, OFFSET_NEWEST) or position < 0 else position
