"""What does not fit is dropped and counted; nobody waits for Kafka."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from sightline.kafka import (
    Admin,
    KafkaUnavailable,
    PartitionReader,
    Producer,
    bootstrap_servers,
    security,
)
from sightline.kafka.topics import Topic
from tests.servers.ports import free_port
from tests.servers.tcp import MuteServer
from tests.servers.waiting import wait_until

TOPIC = Topic("bounds")


@pytest.fixture
def away(settings: Settings) -> None:
    """Nobody listens where Kafka should be."""
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{free_port()}"


@pytest.mark.usefixtures("away")
def test_a_full_queue_refuses_and_counts() -> None:
    producer = Producer(**{"queue.buffering.max.kbytes": 1024})

    results = [producer.send(TOPIC, b"x" * 100_000) for _ in range(20)]

    assert results[0] is True
    assert results[-1] is False
    assert producer.sent + producer.dropped == 20
    assert producer.dropped == results.count(False)
    assert producer.last_error == "the queue to Kafka is full"


def test_a_broker_that_says_nothing_holds_nobody_up(settings: Settings) -> None:
    with MuteServer() as mute:
        settings.KAFKA_BOOTSTRAP_SERVERS = mute.authority
        producer = Producer(**{"queue.buffering.max.messages": 10})

        assert [producer.send(TOPIC, b"x") for _ in range(12)] == [True] * 10 + [False] * 2
        assert producer.dropped == 2


def test_a_record_that_is_too_large_is_refused(embedded: str, settings: Settings) -> None:
    settings.KAFKA_MAX_MESSAGE_BYTES = 100_000
    producer = Producer()

    assert producer.send(TOPIC, b"x" * 100_001) is False
    assert producer.send(TOPIC, b"x" * 1000) is True
    assert producer.dropped == 1
    assert "too large" in producer.last_error.lower()


@pytest.mark.usefixtures("away")
def test_what_cannot_be_delivered_is_counted_and_reported() -> None:
    producer = Producer(**{"message.timeout.ms": 300})
    reports: list[str] = []
    producer.send(TOPIC, b"x", on_delivery=reports.append)

    def reported() -> bool:
        producer.poll()
        return bool(reports)

    wait_until(reported)
    assert (producer.failed, producer.delivered) == (1, 0)
    assert reports == ["Local: Message timed out"]
    assert producer.last_error == reports[0]
    wait_until(lambda: not producer.send(TOPIC, b"x") or not producer.health.reachable)
    assert producer.health.detail


@pytest.mark.usefixtures("away")
def test_questions_are_answered_with_what_is_wrong() -> None:
    consumer = PartitionReader()

    assert not consumer.check(0.2)
    with pytest.raises(KafkaUnavailable):
        consumer.offsets.range(TOPIC, timeout=0.2)
    with pytest.raises(KafkaUnavailable, match=r"Kafka at 127\.0\.0\.1:\d+ does not answer"):
        Admin().ensure([TOPIC], timeout=0.2)
    assert not consumer.health.reachable
    consumer.close()


def test_without_any_broker_the_way_out_is_named(settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ""
    producer = Producer()

    with pytest.raises(
        KafkaUnavailable, match=r"start `manage\.py up`, or set KAFKA_BOOTSTRAP_SERVERS"
    ):
        bootstrap_servers()
    assert producer.send(TOPIC, b"x") is False
    assert "manage.py up" in producer.last_error
    producer.poll_if_open()
    assert producer.flush(1) == 0


def test_the_broker_of_this_machine_is_found_by_its_file(
    settings: Settings, tmp_path: object
) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ""
    settings.DATA_DIR = tmp_path
    (settings.DATA_DIR / "broker.address").write_text("127.0.0.1:5\n", encoding="utf-8")

    assert bootstrap_servers() == "127.0.0.1:5"


def test_security_settings_are_passed_through() -> None:
    variables = {
        "PROTOCOL": "SASL_SSL",
        "SASL_MECHANISM": "SCRAM-SHA-512",
        "SASL_USERNAME": "sightline",
        "SSL_CA_LOCATION": "/etc/ca.pem",
    }

    assert security(variables) == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "sightline",
        "ssl.ca.location": "/etc/ca.pem",
    }


def test_a_security_setting_that_does_not_exist_is_named(settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:5"
    settings.KAFKA_SECURITY = {"SASL_MECHANSIM": "PLAIN"}
    producer = Producer()

    for question in (lambda: PartitionReader().poll(0), lambda: Admin().partitions()):
        with pytest.raises(
            KafkaUnavailable, match=r'cannot be reached with these settings: .*"sasl\.mechansim"'
        ):
            question()
    assert producer.send(TOPIC, b"x") is False
    assert "sasl.mechansim" in producer.last_error
