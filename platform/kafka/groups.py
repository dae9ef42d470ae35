"""The offsets that consumer groups have committed.

librdkafka's admin client cannot ask for them: it crashes the process when a broker answers that it
does not coordinate the group, as one that was away for a moment does
(https://github.com/confluentinc/librdkafka/issues/5040). So a consumer asks that belongs to the
group by name alone: it never joins, and so causes no rebalance.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from django.conf import settings

from sightline.kafka.connection import (
    ConnectionHealth,
    KafkaUnavailable,
    Partition,
    connect,
    connection,
)

IDLE_SECONDS: Final = 30.0
# The answers of a broker that has just started, or just created the topic of offsets, while it
# finds out which groups it coordinates.
SETTLING: Final = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
SETTLING_RETRY_SECONDS: Final = 0.1


@dataclass(slots=True)
class _GroupClient:
    """The consumer of one group, for one question at a time."""

    client: confluent_kafka.Consumer
    used_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Groups:
    """Asks for many groups, from any thread. A group's consumer is kept for the next question, and
    closed if none comes for IDLE_SECONDS.
    """

    def __init__(self, health: ConnectionHealth) -> None:
        self.health = health
        self._clients: dict[str, _GroupClient] = {}
        self._lock = threading.Lock()

    def committed(
        self, group: str, partitions: Iterable[Partition], timeout: float
    ) -> dict[Partition, int]:
        """The offset of the record that comes next in each partition; those in which the group has
        not begun are left out.

        KafkaUnavailable when the broker does not say within ``timeout`` seconds.
        """
        wanted = [TopicPartition(*partition) for partition in partitions]
        if not wanted:
            return {}
        consumer = self._take(group)
        with consumer.lock:
            try:
                consumer.client.poll(0)  # serves its events, which would pile up
                found = committed_offsets(consumer.client, wanted, timeout)
            except KafkaException as err:
                self._drop(group, consumer)
                raise KafkaUnavailable(
                    f"Kafka does not tell how far {group} is: {err.args[0].str()}"
                ) from err
            except RuntimeError as err:
                raise KafkaUnavailable(
                    f"Kafka does not tell how far {group} is."
                ) from err  # closed meanwhile
        if failed := next((place.error for place in found if place.error is not None), None):
            raise KafkaUnavailable(f"Kafka does not tell how far {group} is: {failed.str()}")
        return {
            (place.topic, place.partition): place.offset for place in found if place.offset >= 0
        }

    def close(self) -> None:
        """Close all consumers, without waiting for it."""
        with self._lock:
            ended = list(self._clients.values())
            self._clients.clear()
        _end(ended)

    def _take(self, group: str) -> _GroupClient:
        now = time.monotonic()
        with self._lock:
            consumer = self._clients.get(group)
            if consumer is None:
                consumer = self._clients[group] = _GroupClient(
                    connect(confluent_kafka.Consumer, self._configuration(group))
                )
            consumer.used_at = now
            idle = [
                name for name, other in self._clients.items() if now - other.used_at > IDLE_SECONDS
            ]
            ended = [self._clients.pop(name) for name in idle]
        _end(ended)
        return consumer

    def _drop(self, group: str, consumer: _GroupClient) -> None:
        """Use a new consumer next time: this one may have lost all brokers for good."""
        with self._lock:
            if self._clients.get(group) is not consumer:
                return
            del self._clients[group]
        _end([consumer])

    def _configuration(self, group: str) -> dict[str, object]:
        return {
            **connection(self.health),
            "group.id": group,
            "enable.auto.commit": False,
            "allow.auto.create.topics": settings.KAFKA_EMBEDDED,
        }


def committed_offsets(
    client: confluent_kafka.Consumer, wanted: list[TopicPartition], timeout: float
) -> list[TopicPartition]:
    """Asks again while the group's broker settles, for ``timeout`` seconds in all. Raises what the
    consumer raises.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return client.committed(wanted, timeout=max(deadline - time.monotonic(), 0.0))
        except KafkaException as err:
            if (
                err.args[0].code() not in SETTLING
                or time.monotonic() + SETTLING_RETRY_SECONDS >= deadline
            ):
                raise
        time.sleep(SETTLING_RETRY_SECONDS)


def _end(ended: list[_GroupClient]) -> None:
    """Closing may wait for a broker that is away."""
    for consumer in ended:
        threading.Thread(target=_close, args=(consumer,), name="kafka-close", daemon=True).start()


def _close(consumer: _GroupClient) -> None:
    with consumer.lock:
        consumer.client.close()
