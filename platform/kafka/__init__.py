"""Kafka: the only package that imports confluent_kafka.

Clients connect on first use and reconnect for ever; nothing here raises because the broker is
away, unless it says so. Queues are bounded for video: what does not fit is dropped and counted,
and no caller ever waits for the broker.
"""

from __future__ import annotations

from sightline.kafka.admin import Admin, Cluster, PartitionState
from sightline.kafka.connection import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_NEWEST,
    UNREADABLE_HEADERS,
    Headers,
    KafkaUnavailable,
    NoSuchTopic,
    OnPartitions,
    Partition,
    Record,
    address_file,
    bootstrap_servers,
    embedded_broker,
    security,
)
from sightline.kafka.group_consumer import GroupConsumer
from sightline.kafka.latest_consumer import LatestConsumer
from sightline.kafka.partition_reader import PartitionReader
from sightline.kafka.producer import Producer
from sightline.kafka.reliable_producer import (
    DeliveryReport,
    NotCommitted,
    Outgoing,
    ReliableProducer,
)
from sightline.kafka.watchdog import TopicWatchdog

__all__ = [
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "OFFSET_NEWEST",
    "UNREADABLE_HEADERS",
    "Admin",
    "Cluster",
    "DeliveryReport",
    "GroupConsumer",
    "Headers",
    "KafkaUnavailable",
    "LatestConsumer",
    "NoSuchTopic",
    "NotCommitted",
    "OnPartitions",
    "Outgoing",
    "Partition",
    "PartitionReader",
    "PartitionState",
    "Producer",
    "Record",
    "ReliableProducer",
    "TopicWatchdog",
    "address_file",
    "bootstrap_servers",
    "embedded_broker",
    "security",
]
