"""Topics on the broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource, ConfigSource
from confluent_kafka.cimpl import NewPartitions, NewTopic
from django.conf import settings

from sightline.kafka.connection import Health, KafkaUnavailable, bootstrap_servers, connection, made
from sightline.topics import Topic


class PartitionState(NamedTuple):
    """A partition as the cluster has it: brokers by their numbers."""

    number: int
    leader: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class Admin:
    """Topics on the broker."""

    def __init__(self) -> None:
        self.health = Health()
        self._known: set[str] = set()
        self._client: AdminClient | None = None

    @property
    def client(self) -> AdminClient:
        """The connection, made on first use."""
        if self._client is None:
            self._client = made(AdminClient, connection(self.health) | {"allow.auto.create.topics": settings.KAFKA_EMBEDDED})
        return self._client

    def partitions(self, timeout: float = 5) -> dict[str, int]:
        """Every topic on the broker with its number of partitions; KafkaUnavailable when it does not answer."""
        try:
            found = self.client.list_topics(timeout=timeout).topics
        except KafkaException as err:
            self.client.poll(0)  # lets librdkafka tell why
            raise KafkaUnavailable(f"Kafka at {bootstrap_servers()} does not answer: {self.health.detail or err.args[0].str()}") from err
        return {name: len(topic.partitions) for name, topic in found.items()}

    def ensure(self, topics: Iterable[Topic], timeout: float = 5) -> list[str]:
        """Create what is missing; the names created. Known ones cost nothing. KafkaUnavailable when the broker refuses or is away."""
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
        """A cluster tells of new topics a moment after it has made them."""
        deadline = time.monotonic() + timeout
        while not set(names) <= self.partitions(timeout).keys() and time.monotonic() < deadline:
            threading.Event().wait(0.05)

    def forget(self) -> None:
        """Ask the broker again next time: it may have been replaced by an empty one."""
        self._known.clear()

    def create(self, topic: Topic, replication: int | None = None, timeout: float = 5) -> bool:
        """Create a topic; False when it is there already. KafkaUnavailable when the broker refuses or is away."""
        if topic.name in self.partitions(timeout) or not self._create(topic, timeout, replication):
            return False
        self._wait_for([topic.name], timeout)
        return True

    def _create(self, topic: Topic, timeout: float, replication: int | None = None) -> bool:
        if settings.KAFKA_EMBEDDED:
            # The embedded broker cannot be asked to create a topic; it makes one when it is first asked about it.
            self.client.list_topics(topic.name, timeout=timeout)
            return True
        request = NewTopic(topic.name, topic.partitions, settings.KAFKA_REPLICATION if replication is None else replication, config=topic.config)
        try:
            self.client.create_topics([request], request_timeout=timeout)[topic.name].result(timeout + 1)
        except KafkaException as err:
            if err.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise KafkaUnavailable(f"Kafka does not create {topic.name}: {err.args[0].str()}") from err
        return True

    def grow(self, topic: Topic, timeout: float = 5) -> bool:
        """Give a topic that is there as many partitions as it should have; whether there were fewer. Records stay where they are."""
        if settings.KAFKA_EMBEDDED or self.partitions(timeout).get(topic.name, topic.partitions) >= topic.partitions:
            return False
        request = NewPartitions(topic.name, topic.partitions)
        try:
            self.client.create_partitions([request], request_timeout=timeout)[topic.name].result(timeout + 1)
        except KafkaException as err:
            raise KafkaUnavailable(f"Kafka gives {topic.name} no more partitions: {err.args[0].str()}") from err
        return True

    def describe(self, name: str, timeout: float = 5) -> list[PartitionState]:
        """The partitions of a topic; KafkaUnavailable when it is not there."""
        if name not in self.partitions(timeout):
            raise KafkaUnavailable(f"There is no topic {name}. `manage.py topics list` shows those that there are.")
        found = self.client.list_topics(name, timeout=timeout).topics[name]
        return [PartitionState(item.id, item.leader, tuple(item.replicas), tuple(item.isrs)) for _, item in sorted(found.partitions.items())]

    def config(self, name: str, timeout: float = 5) -> dict[str, str]:
        """The settings of a topic that are not the broker's defaults; the embedded broker has none."""
        if settings.KAFKA_EMBEDDED:
            return {}
        resource = ConfigResource(ConfigResource.Type.TOPIC, name)
        try:
            entries = self.client.describe_configs([resource], request_timeout=timeout)[resource].result(timeout + 1)
        except KafkaException as err:
            raise KafkaUnavailable(f"Kafka does not tell the settings of {name}: {err.args[0].str()}") from err
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {entry.name: str(entry.value) for entry in entries.values() if entry.source == own}
