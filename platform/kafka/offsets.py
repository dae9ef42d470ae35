"""Questions about offsets, asked through a consumer's client."""

from __future__ import annotations

import confluent_kafka
from confluent_kafka import KafkaException, TopicPartition

from sightline.kafka.connection import NO_SUCH_TOPIC, KafkaUnavailable, NoSuchTopic
from sightline.kafka.groups import committed_offsets
from sightline.kafka.topics import Topic


class Offsets:
    """Asks the broker. Every question raises KafkaUnavailable if the broker does not answer within
    ``timeout`` seconds.
    """

    def __init__(self, client: confluent_kafka.Consumer) -> None:
        self._client = client

    def range(self, topic: Topic, partition: int = 0, timeout: float = 5) -> tuple[int, int]:
        """The first offset that a partition holds and the one that comes next (its watermarks);
        NoSuchTopic if there is no such partition.
        """
        try:
            low, high = self._client.get_watermark_offsets(
                TopicPartition(topic.name, partition), timeout=timeout
            )
        except KafkaException as err:
            kind = NoSuchTopic if err.args[0].code() in NO_SUCH_TOPIC else KafkaUnavailable
            raise kind(err.args[0].str()) from err
        return low, high

    def for_time(self, topic: Topic, partition: int, timestamp: int, timeout: float = 5) -> int:
        """The first offset whose record is not older than ``timestamp`` (ms since the epoch);
        OFFSET_END if there is none.
        """
        try:
            found = self._client.offsets_for_times(
                [TopicPartition(topic.name, partition, timestamp)], timeout=timeout
            )
        except KafkaException as err:
            raise KafkaUnavailable(err.args[0].str()) from err
        return int(found[0].offset)

    def committed(self, topic: Topic, partition: int = 0, timeout: float = 5) -> int | None:
        """The offset that the client's group has committed; None if it has never committed one."""
        try:
            found = committed_offsets(
                self._client, [TopicPartition(topic.name, partition)], timeout
            )
        except KafkaException as err:
            raise KafkaUnavailable(err.args[0].str()) from err
        return int(found[0].offset) if found[0].offset >= 0 else None
