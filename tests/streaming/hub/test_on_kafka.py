"""The hub, and a worker in its group, on a real Apache Kafka, which makes no topics by itself
and can lose them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from sightline.kafka import OFFSET_END, Admin, GroupConsumer, Producer, topics
from streaming.hub.channels import Channel, ChannelKind
from streaming.hub.hub import Hub
from streaming.hub.subscriptions import Subscription
from tests.servers.kafka import KafkaServer
from tests.streaming.conftest import Camera
from tests.streaming.hub.test_hub import newest, until

pytestmark = pytest.mark.slow

FRAMES = Channel("gate", ChannelKind.FRAMES)


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, settings: Any) -> Iterator[KafkaServer]:
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaServer(folder / "data", folder / "kafka.log") as server:
        settings.KAFKA_BOOTSTRAP_SERVERS, settings.KAFKA_EMBEDDED, settings.TOPIC_PREFIX = (
            server.bootstrap,
            False,
            "hub",
        )
        yield server


@pytest.fixture
def camera(server: KafkaServer) -> Iterator[Camera]:
    producer = Producer()
    yield Camera("gate", producer)
    producer.flush(5)


@pytest.fixture
async def viewer(server: KafkaServer) -> AsyncIterator[tuple[Hub, Subscription]]:
    hub = Hub()
    viewer = hub.subscribe()
    yield hub, viewer
    viewer.close()
    await asyncio.to_thread(hub.stop)


class Member:
    """Reads frames as infer workers do: in a group, from the newest on."""

    def __init__(self) -> None:
        self.consumer = GroupConsumer("hub.infer")
        self.newest = 0

    def join(self) -> None:
        self.consumer.subscribe([topics.frames("gate")], offset=OFFSET_END)

    def has_read(self, mark: int) -> bool:
        while (record := self.consumer.poll(0)) is not None:
            self.newest = int(record.header_map["seq"])
        return self.newest > mark


@pytest.fixture
def member(server: KafkaServer) -> Iterator[Member]:
    member = Member()
    yield member
    member.consumer.close()


async def make_topics() -> None:
    await asyncio.to_thread(
        Admin().ensure, [*topics.platform_topics(), *topics.camera_topics("gate", imprint=False)]
    )


async def test_they_recover_from_all_that_a_broker_can_do(
    server: KafkaServer, viewer: tuple[Hub, Subscription], member: Member, camera: Camera
) -> None:
    hub, subscription = viewer

    async def goes_on() -> None:
        mark = camera.show().seq
        await until(
            lambda: member.has_read(mark) and newest(hub) > mark,
            subscription,
            30,
            again=camera.show,
        )
        await until(lambda: hub.kafka.reachable, subscription)

    async def notices() -> None:
        await until(lambda: not hub.kafka.reachable, subscription, 10)

    # The camera is watched before its topic is there.
    subscription.watch(FRAMES)
    await until(lambda: hub.kafka.known, subscription)
    await make_topics()
    member.join()
    await goes_on()

    await asyncio.to_thread(server.kill)
    await notices()
    await asyncio.to_thread(server.start)
    await goes_on()

    server.pause()  # connections stay open, nothing answers
    await notices()
    server.resume()
    await goes_on()

    await asyncio.to_thread(server.stop)
    server.wipe()
    await notices()
    await asyncio.to_thread(server.start)
    # Both see that their topic is gone, before it is made again.
    await until(lambda: hub.kafka.reachable, subscription, 10)
    # Reading comes first: only who reads finds out that its client serves no more, and takes a new
    # one.
    await until(
        lambda: not member.has_read(member.newest) and member.consumer.check(), subscription
    )
    await make_topics()
    await goes_on()
