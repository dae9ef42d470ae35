from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Generic, TypeVar

import pytest
from django.core.management import CommandError, call_command

from sightline.kafka import GroupConsumer, PartitionReader, Producer
from sightline.kafka.consumer import Consumer
from sightline.kafka.topics import Topic
from tests.conftest import HOME
from tests.platform.conftest import BrokerProcess
from tests.servers.process import Child
from tests.servers.tcp import MuteServer
from tests.servers.waiting import wait_until

TOPIC = Topic("restart.frames")
AnyConsumer = TypeVar("AnyConsumer", bound=Consumer)
SESSION_SECONDS = 6  # after which the broker takes a silent member for dead
OTHER_MEMBER = """
import django
django.setup()
from sightline.kafka import GroupConsumer
from sightline.kafka.topics import Topic
member = GroupConsumer("restart.group")
member.subscribe([Topic("restart.frames")], on_assign=lambda them: print("mine", flush=True))
while True:
    member.poll(0.1)
"""


class Reading(Generic[AnyConsumer]):
    """One consumer and the values that came to it."""

    def __init__(self, consumer: AnyConsumer) -> None:
        self.consumer = consumer
        self.values: set[bytes | None] = set()

    def turn(self) -> None:
        while (record := self.consumer.poll(0.02)) is not None:
            self.values.add(record.value)

    def turn_until(self, end: float) -> None:
        while time.monotonic() < end:
            self.turn()


@pytest.mark.slow
def test_everybody_goes_on_when_the_broker_was_killed(broker: BrokerProcess) -> None:
    producer = Producer(**{"message.timeout.ms": 1000})
    member, watcher = Reading(GroupConsumer("restart.group")), Reading(PartitionReader())
    member.consumer.subscribe([TOPIC])
    watcher.consumer.watch(TOPIC)

    def both_read(value: bytes) -> bool:
        producer.send(TOPIC, value)
        member.turn()
        watcher.turn()
        return {value} <= member.values & watcher.values

    def all_notice() -> bool:
        producer.send(TOPIC, b"lost")
        member.turn()
        watcher.turn()
        return not any(
            client.health.reachable for client in (producer, member.consumer, watcher.consumer)
        )

    wait_until(lambda: both_read(b"before"), 20, "both to read")
    broker.child.kill()
    wait_until(all_notice, 20, "all to notice")
    wait_until(
        lambda: not producer.send(TOPIC, b"lost") or producer.failed,
        20,
        "lost records to be counted",
    )
    broker.start()
    wait_until(lambda: both_read(b"after"), 30, "both to read again")
    producer.flush(10)

    for client in (producer, member.consumer, watcher.consumer):
        assert client.health.reachable
        assert client.health.detail == ""
    member.consumer.close()
    watcher.consumer.close()


@pytest.mark.slow
def test_who_waits_to_join_a_group_while_the_broker_stands_still_gets_in(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    """The embedded broker takes both for dead then, the one that is and the one that waits until
    this is certain, and never answers it.
    """
    producer, member = Producer(), Reading(GroupConsumer("restart.group"))
    producer.send(TOPIC, b"before")
    here = {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{broker.port}",
        "KAFKA_EMBEDDED": "1",
        "DJANGO_SETTINGS_MODULE": "sightline.settings",
    }
    with Child(
        [sys.executable, "-c", OTHER_MEMBER], tmp_path / "other.log", env=here, cwd=HOME
    ) as other:
        other.wait_until(lambda: "mine" in other.tail(), 30, "the other to have the partitions")
        other.kill()
    member.consumer.subscribe([TOPIC])
    member.turn_until(time.monotonic() + 2)
    broker.child.pause()
    member.turn_until(time.monotonic() + SESSION_SECONDS)
    broker.child.resume()

    def reads() -> bool:
        producer.send(TOPIC, b"after")
        member.turn()
        return b"after" in member.values

    wait_until(reads, 60, "the member to read")
    producer.flush(10)
    member.consumer.close()


def test_a_port_in_use_is_said_plainly() -> None:
    with (
        MuteServer() as mute,
        pytest.raises(CommandError, match=f"Port {mute.port} cannot be used: .*in use"),
    ):
        call_command("runbroker", mute.port)
