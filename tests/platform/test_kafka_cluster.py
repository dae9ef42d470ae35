"""The same code on a real Apache Kafka: topics as asked for, logins, and a group that shares partitions."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]
from pytest_django import Settings

from sightline import topics
from sightline.kafka import Admin, Consumer, KafkaUnavailable, Producer
from tests.servers.kafka import KafkaServer
from tests.servers.waiting import wait_until
from tests.support import frame, reading, send_frame

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(kafka_server: KafkaServer, settings: Settings, request: pytest.FixtureRequest) -> KafkaServer:
    settings.KAFKA_BOOTSTRAP_SERVERS = kafka_server.bootstrap
    settings.KAFKA_EMBEDDED = False
    settings.TOPIC_PREFIX = request.node.name.replace("[", "-").replace("]", "")[:60]
    return kafka_server


def config(server: KafkaServer, topic: str) -> dict[str, str | None]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    client = AdminClient({"bootstrap.servers": server.bootstrap})
    found = client.describe_configs([resource])[resource].result(10)
    return {name: entry.value for name, entry in found.items()}


def test_topics_are_made_as_asked_for(cluster: KafkaServer, settings: Settings) -> None:
    settings.CAPTURE_PARTITIONS = 12
    wanted = [*topics.platform_topics(), *topics.camera_topics("dock", imprint=True), topics.errors("qr", "1")]
    admin = Admin()

    created = admin.ensure(wanted)

    assert sorted(created) == sorted(topic.name for topic in wanted)
    assert admin.ensure(wanted) == Admin().ensure(wanted) == []
    wait_until(lambda: {topic.name for topic in wanted} <= Admin().partitions().keys())
    partitions = Admin().partitions()
    assert {topic.name: partitions[topic.name] for topic in wanted} == {topic.name: topic.partitions for topic in wanted}
    for topic in wanted:
        assert topic.config.items() <= config(cluster, topic.name).items()


def test_frames_travel_through_a_group(cluster: KafkaServer) -> None:
    sent = frame("dock", b"x" * 1_000_000)
    Admin().ensure([topics.frames("dock")])
    producer, member = Producer(), Consumer("group", **{"auto.offset.reset": "earliest"})
    member.subscribe([topics.frames("dock")])

    send_frame(producer, sent)
    with reading(topics.frames("dock")) as reader:
        watched = reader.wait()[0]
    shared = wait_until(lambda: member.poll(0.1), 30)

    assert watched == shared
    assert watched.value == sent.jpeg
    assert watched.header_map == sent.headers()
    member.close()


def login(settings: Settings, server: KafkaServer, password: str = "") -> None:
    """The right password, unless another is given."""
    assert server.sasl
    settings.KAFKA_BOOTSTRAP_SERVERS = server.sasl_bootstrap
    settings.KAFKA_SECURITY = {
        "PROTOCOL": "SASL_PLAINTEXT",
        "SASL_MECHANISM": "PLAIN",
        "SASL_USERNAME": server.sasl.username,
        "SASL_PASSWORD": password or server.sasl.password,
    }


def test_the_right_login_works(cluster: KafkaServer, settings: Settings) -> None:
    login(settings, cluster)

    assert Admin().ensure([topics.status()]) == [topics.status().name]
    producer = Producer()
    producer.send(topics.status(), b"{}", key="camera/dock")
    assert producer.flush(10) == 0
    assert producer.delivered == 1


def test_a_wrong_login_is_said_plainly(cluster: KafkaServer, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    login(settings, cluster, "wr0ng")
    producer = Producer(**{"message.timeout.ms": 1000})
    producer.send(topics.status(), b"{}")

    with pytest.raises(KafkaUnavailable, match="refuses the user name or password"):
        Admin().partitions(3)
    wait_until(lambda: producer.flush(0.1) == 0 and not producer.health.reachable, 20)

    assert "refuses the user name or password" in producer.health.detail
    assert "wr0ng" not in caplog.text
