from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from inference.models import Deployment, InputKind, Model, ModelVersion
from sightline.kafka import Admin, Producer, topics
from sightline.kafka.topics import Topic
from tests.servers.kafka import KafkaServer
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    output = io.StringIO()
    call_command("topics", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def iris(partitions: int = 3) -> None:
    version = ModelVersion.objects.create(
        model=Model.objects.create(slug="iris", name="Iris", partitions=partitions),
        version="1",
        runtime="onnx",
    )
    Deployment.objects.create(version=version, kind=InputKind.RECORDS)


@pytest.fixture
def topic(embedded: str, request: pytest.FixtureRequest) -> Topic:
    return Topic(f"peeked.{abs(hash(request.node.nodeid))}")


@pytest.fixture
def kafka(
    kafka_server: KafkaServer, settings: Settings, request: pytest.FixtureRequest
) -> KafkaServer:
    settings.KAFKA_BOOTSTRAP_SERVERS, settings.KAFKA_EMBEDDED = kafka_server.bootstrap, False
    settings.TOPIC_PREFIX = f"tools{abs(hash(request.node.nodeid))}"
    return kafka_server


@pytest.mark.usefixtures("embedded")
def test_create_makes_the_topics_of_models_that_take_records() -> None:
    iris()
    created = said("create").splitlines()
    assert {topic.name for topic in topics.record_topics("iris", "1")} <= set(created)


def test_peek_shows_the_newest_records_of_all_partitions(topic: Topic) -> None:
    producer = Producer()
    for number in range(30):
        producer.send(
            topic,
            json.dumps({"id": number}).encode(),
            key=f"k{number}",
            partition=number % 3,
            timestamp=1_700_000_000_000 + number,
        )
    producer.flush(10)

    shown = said("peek", topic.name, "-n", "2")

    assert shown == (
        f'{topic.name}/1 @9  2023-11-14 22:13:20.028+00:00  key k28\n{{\n  "id": 28\n}}\n\n'
        f'{topic.name}/2 @9  2023-11-14 22:13:20.029+00:00  key k29\n{{\n  "id": 29\n}}\n'
    )


def test_peek_shows_pictures_as_their_size_and_headers_as_text(topic: Topic) -> None:
    producer = Producer()
    producer.send(topic, b"\xff\xd8\xff" + b"x" * 1234, headers={"seq": b"7"})
    producer.send(topic, b"\x00\x01\xfe")
    producer.send(topic, None)
    producer.flush(10)

    shown = said("peek", topic.name)

    assert "  seq: 7\na picture (jpg) of 1,237 bytes\n" in shown
    assert "\n3 bytes: 00 01 fe\n" in shown
    assert shown.endswith("\nnull\n")


@pytest.mark.usefixtures("embedded")
def test_a_topic_that_is_not_there_is_said_plainly() -> None:
    for action in ("peek", "describe"):
        with pytest.raises(CommandError, match=r"There is no topic nowhere"):
            said(action, "nowhere")
    with pytest.raises(CommandError, match=r"There is no model version iris@9"):
        said("peek", "iris@9")


@pytest.mark.slow
@pytest.mark.usefixtures("kafka")
def test_create_takes_partitions_replication_and_settings() -> None:
    assert (
        said(
            "create",
            "orders",
            "--partitions",
            "3",
            "--replication",
            "1",
            "--config",
            "retention.ms=3600000",
        )
        == "orders\n"
    )

    assert said("describe", "orders") == (
        "orders\n"
        "  partition 0  offsets 0 to 0  leader 1  replicas 1  in sync 1\n"
        "  partition 1  offsets 0 to 0  leader 1  replicas 1  in sync 1\n"
        "  partition 2  offsets 0 to 0  leader 1  replicas 1  in sync 1\n"
        "  retention.ms=3600000\n"
    )
    with pytest.raises(CommandError, match="There is already a topic orders"):
        said("create", "orders")
    with pytest.raises(
        CommandError, match="Kafka does not create orders2: Unknown topic config name: nonsense"
    ):
        said("create", "orders2", "--config", "nonsense=1")
    with pytest.raises(CommandError, match=r"Kafka does not create orders3: .*replication"):
        said("create", "orders3", "--replication", "3")


@pytest.mark.slow
@pytest.mark.usefixtures("kafka")
def test_a_model_that_gets_more_partitions_has_them_after_create() -> None:
    names = [topic.name for topic in topics.record_topics("iris", "1")]

    def partitions() -> list[int | None]:
        existing = Admin().partitions()
        return [existing.get(name) for name in names]

    iris(partitions=2)
    said("create")
    wait_until(lambda: partitions() == [2, 2, 1], 20, "the cluster to tell of the topics")
    Model.objects.update(partitions=5)

    said("create")

    wait_until(lambda: partitions() == [5, 5, 1], 20, "the cluster to tell of the new partitions")
    assert "  max.message.bytes=8454144\n" in said("describe", "iris@1.errors")
