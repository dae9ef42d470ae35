"""The broker of the tests is a real one: it keeps its data, comes back on its port, and checks passwords."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.servers.kafka import KafkaServer
from tests.servers.login import Login

Settings = dict[str, str | int | float | bool]

LOGIN = Login("sightline", "s3cret word")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaServer(folder / "data", folder / "kafka.log", sasl=LOGIN) as server:
        yield server


def client(**settings: str) -> Settings:
    quick: Settings = {"reconnect.backoff.max.ms": 100, "log_level": 0}
    return quick | {name.replace("_", "."): value for name, value in settings.items()}


def make_topic(kafka: KafkaServer, name: str) -> None:
    admin = AdminClient(client(bootstrap_servers=kafka.bootstrap))
    for made in admin.create_topics([NewTopic(name, 1, 1)]).values():
        made.result(10)


def send(kafka: KafkaServer, topic: str, value: bytes) -> None:
    producer = Producer(client(bootstrap_servers=kafka.bootstrap) | {"message.max.bytes": 9_000_000})
    producer.produce(topic, value)
    assert producer.flush(10) == 0


def receive(kafka: KafkaServer, topic: str, group: str) -> bytes:
    consumer = Consumer(client(bootstrap_servers=kafka.bootstrap, group_id=group, auto_offset_reset="earliest"))
    consumer.subscribe([topic])
    record = consumer.poll(20)
    consumer.close()
    assert record is not None
    assert record.error() is None
    value = record.value()
    assert isinstance(value, bytes)
    return value


def test_it_carries_a_large_record_through_a_group(kafka: KafkaServer) -> None:
    make_topic(kafka, "large")
    send(kafka, "large", b"x" * 8_000_000)
    assert len(receive(kafka, "large", "group")) == 8_000_000


def test_it_keeps_records_over_a_restart_and_a_kill(kafka: KafkaServer) -> None:
    make_topic(kafka, "kept")
    send(kafka, "kept", b"one")
    kafka.restart()
    assert receive(kafka, "kept", "after-restart") == b"one"
    kafka.kill()
    kafka.start()
    assert receive(kafka, "kept", "after-kill") == b"one"


def test_it_makes_no_topic_by_itself(kafka: KafkaServer) -> None:
    admin = AdminClient(client(bootstrap_servers=kafka.bootstrap))
    admin.list_topics("never-made", timeout=5)
    assert "never-made" not in admin.list_topics(timeout=5).topics


@pytest.mark.parametrize(("password", "let_in"), [(LOGIN.password, True), ("wrong", False)])
def test_its_sasl_listener_asks_for_the_password(kafka: KafkaServer, password: str, let_in: bool) -> None:
    admin = AdminClient(
        client(
            bootstrap_servers=kafka.sasl_bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_username=LOGIN.username,
            sasl_password=password,
        )
    )
    if let_in:
        assert admin.list_topics(timeout=5).brokers
    else:
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=2)
