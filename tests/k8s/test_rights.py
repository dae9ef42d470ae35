"""The rights of components/strimzi/user.yaml, on a real Kafka that grants nothing else: enough
for all that Sightline does, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from pytest_django import Settings

from sightline.kafka import (
    OFFSET_BEGINNING,
    Admin,
    DeliveryReport,
    GroupConsumer,
    KafkaUnavailable,
    PartitionReader,
    Producer,
    Record,
    ReliableProducer,
    topics,
)
from sightline.kafka.topics import Topic
from tests.k8s.rendering import overlay
from tests.servers.kafka import KafkaServer
from tests.servers.login import Login
from tests.servers.waiting import wait_until

pytestmark = [pytest.mark.validators, pytest.mark.xdist_group("validators")]

USER = "sightline-kafka"
KINDS = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
# Brokers, and whoever uses the listener without logins, may do everything; the user only what is
# granted.
GUARD = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class GuardedKafka(KafkaServer):
    """A broker that asks what its users may do."""

    def _server_properties(self) -> str:
        return super()._server_properties() + GUARD


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    folder = tmp_path_factory.mktemp("guarded")
    with GuardedKafka(folder / "data", folder / "kafka.log", sasl=Login(USER, "s3cret")) as server:
        grant(server)
        yield server


def grant(server: KafkaServer) -> None:
    """Do what Strimzi's user operator does with the KafkaUser."""
    user = overlay("production").named("KafkaUser", USER)
    bindings = []
    for rule in user["spec"]["authorization"]["acls"]:
        resource = rule["resource"]
        pattern = (
            ResourcePatternType.PREFIXED
            if resource.get("patternType") == "prefix"
            else ResourcePatternType.LITERAL
        )
        for operation in rule["operations"]:
            wanted = AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()]
            name = resource.get("name", "kafka-cluster")
            bindings.append(
                AclBinding(
                    KINDS[resource["type"]],
                    name,
                    pattern,
                    f"User:{USER}",
                    "*",
                    wanted,
                    AclPermissionType.ALLOW,
                )
            )
    client = AdminClient({"bootstrap.servers": server.bootstrap})
    for made in client.create_acls(bindings).values():
        made.result(20)


@pytest.fixture
def as_sightline(guarded: KafkaServer, settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = guarded.sasl_bootstrap
    settings.KAFKA_EMBEDDED = False
    security = {
        "PROTOCOL": "SASL_PLAINTEXT",
        "SASL_MECHANISM": "PLAIN",
        "SASL_USERNAME": USER,
        "SASL_PASSWORD": "s3cret",
    }
    settings.KAFKA_SECURITY = security


def next_record(consumer: GroupConsumer | PartitionReader) -> Record:
    """The next one, for which it may have to wait."""
    record = consumer.poll(30)
    assert record is not None, "no record came"
    return record


@pytest.mark.usefixtures("as_sightline")
def test_all_that_sightline_does_is_allowed() -> None:
    admin, inputs, outputs = Admin(), topics.inputs("iris", "1", 2), topics.outputs("iris", "1", 2)
    group = topics.records_group("iris", "1")

    wanted = [
        *topics.platform_topics(),
        *topics.camera_topics("gate", imprint=True),
        topics.inputs("iris", "1"),
        outputs,
        topics.errors("iris", "1"),
    ]
    assert len(admin.ensure(wanted)) == len(wanted)
    wait_until(lambda: inputs.name in admin.partitions())
    assert admin.grow(inputs)
    assert admin.config(topics.frames("gate").name)["retention.ms"] == "60000"

    producer = Producer()
    producer.send(inputs, b"{}", key="1")
    assert producer.flush(20) == 0
    assert producer.delivered == 1

    member = GroupConsumer(group, **{"auto.offset.reset": "earliest"})
    member.subscribe([inputs])
    record = next_record(member)
    reliable = ReliableProducer(f"{group}.records-1")
    reliable.begin()
    assert reliable.send(outputs.name, b"{}", None, (), 0, DeliveryReport())
    reliable.commit({(record.topic, record.partition): record.offset + 1}, member)
    member.close()

    wait_until(
        lambda: (
            admin.committed(group, [(record.topic, record.partition)])
            == {(record.topic, record.partition): 1}
        ),
        20,
    )
    assert sum(admin.lag(group, {inputs.name: 2}).values()) == 0
    assert group in admin.groups()
    viewer = PartitionReader()
    viewer.watch(outputs, offset=OFFSET_BEGINNING)
    assert next_record(viewer).value == b"{}"
    viewer.close()


@pytest.mark.usefixtures("as_sightline")
def test_what_is_others_is_refused() -> None:
    with pytest.raises(KafkaUnavailable, match="Authorization failed"):
        Admin().create(Topic("payroll.salaries"))
