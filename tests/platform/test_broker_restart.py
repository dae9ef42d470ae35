from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from sightline.kafka import Consumer, Producer
from sightline.topics import Topic
from tests.platform.conftest import BrokerProcess
from tests.servers.tcp import MuteServer
from tests.servers.waiting import wait_until

TOPIC = Topic("restart.frames")


class Reading:
    """One consumer and the values that came to it."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.values: set[bytes | None] = set()

    def turn(self) -> None:
        while (record := self.consumer.poll(0.02)) is not None:
            self.values.add(record.value)


@pytest.mark.slow
def test_everybody_goes_on_when_the_broker_was_killed(broker: BrokerProcess) -> None:
    producer = Producer(**{"message.timeout.ms": 1000})
    member, watcher = Reading(Consumer("restart.group")), Reading(Consumer())
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
        return not any(client.health.reachable for client in (producer, member.consumer, watcher.consumer))

    wait_until(lambda: both_read(b"before"), 20, "both to read")
    broker.child.kill()
    wait_until(all_notice, 20, "all to notice")
    wait_until(lambda: not producer.send(TOPIC, b"lost") or producer.failed, 20, "lost records to be counted")
    broker.start()
    wait_until(lambda: both_read(b"after"), 30, "both to read again")
    producer.flush(10)

    for client in (producer, member.consumer, watcher.consumer):
        assert client.health.reachable
        assert client.health.detail == ""
    member.consumer.close()
    watcher.consumer.close()


def test_a_port_in_use_is_said_plainly() -> None:
    with MuteServer() as mute, pytest.raises(CommandError, match=f"Port {mute.port} cannot be used: .*in use"):
        call_command("runbroker", mute.port)
