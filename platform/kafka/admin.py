"""Topics on the broker."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource, ConfigSource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewPartitions, NewTopic
from django.conf import settings

from sightline.kafka.connection import (
    ConnectionHealth,
    KafkaUnavailable,
    NoSuchTopic,
    Partition,
    bootstrap_servers,
    connect,
    connection,
)
from sightline.kafka.groups import Groups
from sightline.kafka.topics import Topic

Answer = TypeVar("Answer")


class PartitionState(NamedTuple):
    """A partition as the cluster has it: brokers by their numbers."""

    number: int
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The brokers by number, which of them is the controller (-1: it does not say), and every
    topic's partitions.
    """

    identity: str
    controller: int
    brokers: dict[int, str]
    topics: dict[str, list[PartitionState]]


class Admin:
    """Topics on the broker."""

    def __init__(self) -> None:
        self.health = ConnectionHealth()
        self._known: set[str] = set()
        self._groups = Groups(self.health)
        weakref.finalize(self, self._groups.close).atexit = False
        self._client: AdminClient | None = None

    @property
    def client(self) -> AdminClient:
        """The connection, made on first use."""
        if self._client is None:
            self._client = connect(
                AdminClient,
                connection(self.health) | {"allow.auto.create.topics": settings.KAFKA_EMBEDDED},
            )
            weakref.finalize(self, _close, self._client).atexit = False
        return self._client

    def partitions(self, timeout: float = 5) -> dict[str, int]:
        """Every topic on the broker with its number of partitions; KafkaUnavailable when it does
        not answer.
        """
        return {name: len(partitions) for name, partitions in self.cluster(timeout).topics.items()}

    def cluster(self, timeout: float = 5) -> Cluster:
        """The brokers and all topics; KafkaUnavailable if no broker answers."""
        try:
            found = self.client.list_topics(timeout=timeout)
        except KafkaException as err:
            self.client.poll(0)  # lets librdkafka tell why
            raise KafkaUnavailable(
                f"Kafka at {bootstrap_servers()} does not answer:"
                f" {self.health.detail or err.args[0].str()}"
            ) from err
        brokers = {
            number: f"{broker.host}:{broker.port}"
            for number, broker in sorted(found.brokers.items())
        }
        return Cluster(
            found.cluster_id or "",
            found.controller_id,
            brokers,
            {name: _partitions(topic) for name, topic in found.topics.items()},
        )

    def offsets(
        self, partitions: Iterable[Partition], timeout: float = 5
    ) -> dict[Partition, tuple[int, int]]:
        """The first offset there is and the one that comes next, of all ``partitions`` at once;
        those that have no leader now are left out.

        KafkaUnavailable when the broker does not answer.
        """
        wanted = list(partitions)
        beginnings, ends = self.beginnings(wanted, timeout), self.ends(wanted, timeout)
        return {
            partition: (beginnings[partition], end)
            for partition, end in ends.items()
            if partition in beginnings
        }

    def beginnings(
        self, partitions: Iterable[Partition], timeout: float = 5
    ) -> dict[Partition, int]:
        """The first offset that there is, of each partition; otherwise as ``offsets``."""
        return self._listed(partitions, OffsetSpec.earliest(), timeout)  # type: ignore[no-untyped-call]

    def ends(self, partitions: Iterable[Partition], timeout: float = 5) -> dict[Partition, int]:
        """The offset that comes next, of each partition; otherwise as ``offsets``."""
        return self._listed(partitions, OffsetSpec.latest(), timeout)  # type: ignore[no-untyped-call]

    def _listed(
        self, partitions: Iterable[Partition], moment: OffsetSpec, timeout: float
    ) -> dict[Partition, int]:
        wanted = {TopicPartition(*partition): moment for partition in partitions}
        if not wanted:
            return {}
        answers = self.client.list_offsets(wanted, request_timeout=timeout)
        found: dict[Partition, int] = {}
        failure = ""
        for partition, answer in answers.items():
            try:
                found[partition.topic, partition.partition] = _answer(answer, timeout).offset
            except KafkaException as err:
                failure = err.args[0].str()
        if failure and not found:
            raise KafkaUnavailable(f"Kafka does not tell where topics end: {failure}")
        return found

    def committed(
        self, group: str, partitions: Iterable[Partition], timeout: float = 5
    ) -> dict[Partition, int]:
        """The offsets that a consumer group has committed, of ``partitions``; those without one
        are left out. KafkaUnavailable if the broker does not answer.
        """
        return self._groups.committed(group, partitions, timeout)

    def lag(
        self, group: str, topics: Mapping[str, int], timeout: float = 5
    ) -> dict[Partition, int]:
        """How many records of each partition of ``topics`` (names and numbers of partitions) a
        group has not yet processed.

        A partition without a committed offset counts from its first record. KafkaUnavailable if
        the broker does not answer.
        """
        partitions = [(name, number) for name, count in topics.items() for number in range(count)]
        ends = self.offsets(partitions, timeout)
        done = self.committed(group, partitions, timeout)
        return {
            partition: max(0, high - max(low, done.get(partition, low)))
            for partition, (low, high) in ends.items()
        }

    def groups(self, timeout: float = 5) -> list[str]:
        """The names of the consumer groups; none on a broker that does not tell them."""
        try:
            found = _answer(self.client.list_consumer_groups(request_timeout=timeout), timeout)
        except KafkaException as err:
            raise KafkaUnavailable(
                f"Kafka does not tell its consumer groups: {err.args[0].str()}"
            ) from err
        return sorted(group.group_id for group in found.valid)

    def ensure(self, topics: Iterable[Topic], timeout: float = 5) -> list[str]:
        """Create the topics that are missing; returns their names. Known ones cost nothing.
        KafkaUnavailable if the broker refuses or is away.
        """
        wanted = {topic.name: topic for topic in topics if topic.name not in self._known}
        if not wanted:
            return []
        existing = self.partitions(timeout)
        missing = [topic for name, topic in wanted.items() if name not in existing]
        created = [topic.name for topic in missing if self._create(topic, timeout)]
        if created:
            self._wait_for(created, timeout)
        self._known.update(wanted)
        return created

    def _wait_for(self, names: Iterable[str], timeout: float) -> None:
        """Wait until the cluster lists new topics, a moment after it has created them."""
        deadline = time.monotonic() + timeout
        while not set(names) <= self.partitions(timeout).keys() and time.monotonic() < deadline:
            threading.Event().wait(0.05)

    def forget(self) -> None:
        """Ask the broker again next time: an empty one may have replaced it."""
        self._known.clear()

    def create(self, topic: Topic, replication: int | None = None, timeout: float = 5) -> bool:
        """Create a topic; False when it is there already. KafkaUnavailable when the broker
        refuses or is away.
        """
        if topic.name in self.partitions(timeout) or not self._create(topic, timeout, replication):
            return False
        self._wait_for([topic.name], timeout)
        return True

    def _create(self, topic: Topic, timeout: float, replication: int | None = None) -> bool:
        if settings.KAFKA_EMBEDDED:
            # The embedded broker has no request to create a topic; it creates one when it is first
            # asked about it.
            self.client.list_topics(topic.name, timeout=timeout)
            return True
        request = NewTopic(
            topic.name,
            topic.partitions,
            settings.KAFKA_REPLICATION if replication is None else replication,
            config=topic.config,
        )
        try:
            _answer(
                self.client.create_topics([request], request_timeout=timeout)[topic.name], timeout
            )
        except KafkaException as err:
            if err.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise KafkaUnavailable(
                f"Kafka does not create {topic.name}: {err.args[0].str()}"
            ) from err
        return True

    def grow(self, topic: Topic, timeout: float = 5) -> bool:
        """Give an existing topic as many partitions as it should have; returns whether there were
        fewer. Records stay where they are.
        """
        if (
            settings.KAFKA_EMBEDDED
            or self.partitions(timeout).get(topic.name, topic.partitions) >= topic.partitions
        ):
            return False
        request = NewPartitions(topic.name, topic.partitions)
        try:
            _answer(
                self.client.create_partitions([request], request_timeout=timeout)[topic.name],
                timeout,
            )
        except KafkaException as err:
            raise KafkaUnavailable(
                f"Kafka gives {topic.name} no more partitions: {err.args[0].str()}"
            ) from err
        return True

    def describe(self, name: str, timeout: float = 5) -> list[PartitionState]:
        """The partitions of a topic; NoSuchTopic if it does not exist."""
        topics = self.cluster(timeout).topics
        if name not in topics:
            raise NoSuchTopic(
                f"There is no topic {name}. `manage.py topics list` shows those that there are."
            )
        return topics[name]

    def config(self, name: str, timeout: float = 5) -> dict[str, str]:
        """The settings of a topic that are not the broker's defaults; the embedded broker has
        none.
        """
        if settings.KAFKA_EMBEDDED:
            return {}
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        try:
            entries = _answer(
                self.client.describe_configs([resource], request_timeout=timeout)[resource], timeout
            )
        except KafkaException as err:
            raise KafkaUnavailable(
                f"Kafka does not tell the settings of {name}: {err.args[0].str()}"
            ) from err
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {entry.name: str(entry.value) for entry in entries.values() if entry.source == own}


def _partitions(topic: Any) -> list[PartitionState]:
    return [
        PartitionState(item.id, item.leader, tuple(item.replicas), tuple(item.isrs))
        for _, item in sorted(topic.partitions.items())
    ]


def _answer(future: Future[Answer], timeout: float) -> Answer:
    """What the broker answered within ``timeout`` seconds, which librdkafka enforces;
    KafkaUnavailable if even that failed.
    """
    try:
        return future.result(timeout + 1)
    except TimeoutError as err:
        raise KafkaUnavailable(f"Kafka at {bootstrap_servers()} did not answer in time.") from err


def _close(client: AdminClient) -> None:
    """Close a client that nothing refers to any more, in a thread of its own.

    The garbage collector runs in any thread, also in the client's own while that delivers a late
    answer, and librdkafka crashes if one of its threads closes the client that it belongs to.
    """
    threading.Thread(
        target=client.__exit__, args=(None, None, None), name="kafka-close", daemon=True
    ).start()
