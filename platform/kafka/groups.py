"""Where consumer groups go on.

librdkafka's admin client cannot be asked: when a broker answers that it does not coordinate the
group, as one that was away for a moment does, it brings the process down
(https://github.com/confluentinc/librdkafka/issues/5040). So a consumer is asked that belongs to
the group by name alone: it never joins, and so disturbs nobody.
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
# A broker that has just started, or just made the topic of offsets, answers so while it finds out
# which groups are its own.
SETTLING: Final = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
SETTLING_RETRY_SECONDS: Final = 0.1


@dataclass(slots=True)
class _Asked:
    """The consumer of one group, for one question at a time."""

    client: confluent_kafka.Consumer
    used_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Groups:
    """Asks for many groups, from any thread. A group's consumer is kept for the next question,
    and ended when none came for IDLE_SECONDS.
    """

    def __init__(self, health: ConnectionHealth) -> None:
        self.health = health
        self._asked: dict[str, _Asked] = {}
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
        asked = self._take(group)
        with asked.lock:
            try:
                asked.client.poll(0)  # what it has to say is not to pile up
                found = committed_offsets(asked.client, wanted, timeout)
            except KafkaException as err:
                self._drop(group, asked)
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
        """End all consumers, without waiting for it."""
        with self._lock:
            ended = list(self._asked.values())
            self._asked.clear()
        _end(ended)

    def _take(self, group: str) -> _Asked:
        now = time.monotonic()
        with self._lock:
            asked = self._asked.get(group)
            if asked is None:
                asked = self._asked[group] = _Asked(
                    connect(confluent_kafka.Consumer, self._configuration(group))
                )
            asked.used_at = now
            idle = [
                name for name, other in self._asked.items() if now - other.used_at > IDLE_SECONDS
            ]
            ended = [self._asked.pop(name) for name in idle]
        _end(ended)
        return asked

    def _drop(self, group: str, asked: _Asked) -> None:
        """Ask with a new consumer next time: this one may have lost all brokers for good."""
        with self._lock:
            if self._asked.get(group) is not asked:
                return
            del self._asked[group]
        _end([asked])

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
    """Asks again while the group's broker settles, for ``timeout`` seconds in all. Raises what
    the consumer does.
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


def _end(ended: list[_Asked]) -> None:
    """Closing may wait for a broker that is away."""
    for asked in ended:
        threading.Thread(target=_close, args=(asked,), name="kafka-close", daemon=True).start()


def _close(asked: _Asked) -> None:
    with asked.lock:
        asked.client.close()
