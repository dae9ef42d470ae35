"""The same code on a real Apache Kafka: topics as asked for, logins, and a group that shares
partitions.
"""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]
from pytest_django import Settings

from sightline.kafka import Admin, GroupConsumer, KafkaUnavailable, Producer, TopicWatchdog, topics
from tests.servers.kafka import KafkaServer
from tests.servers.waiting import wait_until
from tests.support import frame, reading, send_frame

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(
    kafka_server: KafkaServer, settings: Settings, request: pytest.FixtureRequest
) -> KafkaServer:
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
    wanted = [
        *topics.platform_topics(),
        *topics.camera_topics("dock", imprint=True),
        topics.errors("qr", "1"),
    ]
    admin = Admin()

    created = admin.ensure(wanted)

    assert sorted(created) == sorted(topic.name for topic in wanted)
    assert admin.ensure(wanted) == Admin().ensure(wanted) == []
    wait_until(lambda: {topic.name for topic in wanted} <= Admin().partitions().keys())
    partitions = Admin().partitions()
    assert {topic.name: partitions[topic.name] for topic in wanted} == {
        topic.name: topic.partitions for topic in wanted
    }
    for topic in wanted:
        assert topic.config.items() <= config(cluster, topic.name).items()


def test_frames_travel_through_a_group(cluster: KafkaServer) -> None:
    sent = frame("dock", b"x" * 1_000_000)
    Admin().ensure([topics.frames("dock")])
    producer, member = Producer(), GroupConsumer("group", **{"auto.offset.reset": "earliest"})
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


def test_a_wrong_login_is_said_plainly(
    cluster: KafkaServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    login(settings, cluster, "wr0ng")
    producer = Producer(**{"message.timeout.ms": 1000})
    producer.send(topics.status(), b"{}")

    with pytest.raises(KafkaUnavailable, match="refuses the user name or password"):
        Admin().partitions(3)
    wait_until(lambda: producer.flush(0.1) == 0 and not producer.health.reachable, 20)

    assert "refuses the user name or password" in producer.health.detail
    assert "wr0ng" not in caplog.text


def test_a_topic_that_somebody_deleted_is_recreated(cluster: KafkaServer) -> None:
    topic = topics.frames("dock")
    Admin().ensure([topic])
    producer = Producer()
    watchdog = TopicWatchdog(producer)
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})

    def send_and_check() -> list[str]:
        producer.send(topic, b"x")
        return watchdog.check()

    with reading(topic) as reader:
        reader.wait(beside=send_and_check)
        client.delete_topics([topic.name])[topic.name].result(10)
        assert wait_until(send_and_check, 30, "the loss to be noticed", interval=0.1) == [
            topic.name
        ]
        reader.wait(len(reader.records) + 1, 30, beside=send_and_check)
    assert topic.config.items() <= config(cluster, topic.name).items()


def test_the_garbage_collector_may_drop_an_admin_in_librdkafkas_own_thread(
    cluster: KafkaServer,
) -> None:
    """While that hands over an answer that nobody waits for any more: it used to crash the
    process.
    """
    admin = Admin()
    admin.partitions()
    dropped = weakref.ref(admin)
    admin.itself = admin  # type: ignore[attr-defined]  # what only the collector can take apart
    collecting: list[str] = []

    def collect(_answer: object) -> None:
        for _ in range(1000):
            gc.collect()  # does nothing while another thread collects
            if dropped() is None:
                break
            time.sleep(0.001)
        collecting.append(threading.current_thread().name)

    gc.disable()
    try:
        admin.client.list_consumer_groups(request_timeout=10).add_done_callback(collect)
        del admin
        wait_until(lambda: collecting, 20, "the answer")
    finally:
        gc.enable()

    assert dropped() is None
    assert collecting != [threading.current_thread().name]
    wait_until(
        lambda: not any(thread.name == "kafka-close" for thread in threading.enumerate()),
        20,
        "the client to be closed",
    )


def test_a_group_may_be_asked_about_that_nobody_knows(cluster: KafkaServer) -> None:
    """librdkafka's admin client may crash the process then."""
    Admin().ensure([topics.frames("dock")])
    name = topics.frames("dock").name
    admin = Admin()

    assert [admin.committed(f"unseen-{number}", [(name, 0)]) for number in range(5)] == [{}] * 5
    assert admin.lag("unseen-0", {name: 1}) == {(name, 0): 0}


def test_a_group_is_asked_about_again_after_the_broker_was_away(
    cluster: KafkaServer, settings: Settings
) -> None:
    topic = topics.frames("dock")
    Admin().ensure([topic])
    member = GroupConsumer(settings.TOPIC_PREFIX)
    member.commit_offsets({(topic.name, 0): 7}, wait=True)
    admin = Admin()
    assert admin.committed(settings.TOPIC_PREFIX, [(topic.name, 0)]) == {(topic.name, 0): 7}

    cluster.pause()
    with pytest.raises(KafkaUnavailable, match=settings.TOPIC_PREFIX):
        admin.committed(settings.TOPIC_PREFIX, [(topic.name, 0)], timeout=0.5)
    cluster.resume()

    wait_until(
        lambda: admin.committed(settings.TOPIC_PREFIX, [(topic.name, 0)]) == {(topic.name, 0): 7},
        30,
    )
    member.close()
