"""A real Kafka, where transactions leave gaps in a topic's offsets."""

from __future__ import annotations

import pytest
from django.test import Client
from pytest_django import Settings

from inference.models import ModelVersion
from sightline.kafka import Admin, DeliveryReport, GroupConsumer, ReliableProducer, topics
from tests.inference.deadletters.conftest import Graveyard
from tests.servers.kafka import KafkaServer
from tests.servers.waiting import wait_until
from tests.support import reading

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture
def kafka(kafka_server: KafkaServer, settings: Settings) -> None:
    """Settings that point at a real Kafka, with topics of the test's own."""
    settings.KAFKA_BOOTSTRAP_SERVERS, settings.KAFKA_EMBEDDED = kafka_server.bootstrap, False
    settings.KAFKA_REPLICATION, settings.TOPIC_PREFIX = 1, "buried"


def bury_in_transactions(count: int) -> None:
    """A dead letter in each transaction; every third one is aborted."""
    producer, consumer = ReliableProducer("letters"), GroupConsumer("letters")
    for number in range(count):
        producer.begin()
        producer.send(
            topics.errors("iris", "1").name,
            b"%d" % number,
            None,
            [("dlt-exception-message", b"No.")],
            0,
            DeliveryReport(),
        )
        if number % 3 == 2:
            producer.client.flush(5)
            producer.abort()
        else:
            producer.commit({}, consumer)
    producer.close(5)
    consumer.close()


def test_letters_are_listed_and_retried(
    kafka: None, iris: ModelVersion, admin_client: Client, pages: str
) -> None:
    assert "No dead letters" in admin_client.get(pages).text
    Admin().ensure([topics.errors("iris", "1")])
    wait_until(
        lambda: "No dead letters" in admin_client.get(pages).text,
        30,
        "the new topic's partition to have a leader",
    )
    bury_in_transactions(9)
    letters = Graveyard(iris).letters()
    assert [letter.content.text for letter in letters] == ["7", "6", "4", "3", "1", "0"]
    admin_client.post(
        f"{pages}retry/", {"target": iris.pk, "action": "group", "group": letters[0].group}
    )
    with reading(topics.inputs("iris", "1")) as inputs:
        assert [record.value for record in inputs.wait(6)] == [b"0", b"1", b"3", b"4", b"6", b"7"]
    assert admin_client.get(f"{pages}0/{letters[0].offset.offset + 1}/").status_code == 404, (
        "the mark of a transaction is no letter"
    )
