"""The broker of the tests is a real one: it keeps its data, comes back on its port, and checks
passwords.
"""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.servers.kafka import KafkaServer

Settings = dict[str, str | int | float | bool]


def client(**settings: str) -> Settings:
    quick: Settings = {"reconnect.backoff.max.ms": 100, "log_level": 0}
    return quick | {name.replace("_", "."): value for name, value in settings.items()}


def make_topic(kafka: KafkaServer, name: str) -> None:
    admin = AdminClient(client(bootstrap_servers=kafka.bootstrap))
    for made in admin.create_topics([NewTopic(name, 1, 1)]).values():
        made.result(10)


def send(kafka: KafkaServer, topic: str, value: bytes) -> None:
    producer = Producer(
        client(bootstrap_servers=kafka.bootstrap) | {"message.max.bytes": 9_000_000}
    )
    producer.produce(topic, value)
    assert producer.flush(10) == 0


def receive(kafka: KafkaServer, topic: str, group: str) -> bytes:
    consumer = Consumer(
        client(bootstrap_servers=kafka.bootstrap, group_id=group, auto_offset_reset="earliest")
    )
    consumer.subscribe([topic])
    record = consumer.poll(20)
    consumer.close()
    assert record is not None
    assert record.error() is None
    value = record.value()
    assert isinstance(value, bytes)
    return value


def test_it_carries_a_large_record_through_a_group(kafka_server: KafkaServer) -> None:
    make_topic(kafka_server, "large")
    send(kafka_server, "large", b"x" * 8_000_000)
    assert len(receive(kafka_server, "large", "group")) == 8_000_000


def test_it_keeps_records_over_a_restart_and_a_kill(kafka_server: KafkaServer) -> None:
    make_topic(kafka_server, "kept")
    send(kafka_server, "kept", b"one")
    kafka_server.restart()
    assert receive(kafka_server, "kept", "after-restart") == b"one"
    kafka_server.kill()
    kafka_server.start()
    assert receive(kafka_server, "kept", "after-kill") == b"one"


def test_it_makes_no_topic_by_itself(kafka_server: KafkaServer) -> None:
    admin = AdminClient(client(bootstrap_servers=kafka_server.bootstrap))
    admin.list_topics("never-made", timeout=5)
    assert "never-made" not in admin.list_topics(timeout=5).topics


@pytest.mark.parametrize("let_in", [True, False])
def test_its_sasl_listener_asks_for_the_password(kafka_server: KafkaServer, let_in: bool) -> None:
    assert kafka_server.sasl
    admin = AdminClient(
        client(
            bootstrap_servers=kafka_server.sasl_bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_username=kafka_server.sasl.username,
            sasl_password=kafka_server.sasl.password if let_in else "wrong",
        )
    )
    if let_in:
        assert admin.list_topics(timeout=5).brokers
    else:
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=2)
