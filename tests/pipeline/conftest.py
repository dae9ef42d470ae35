"""The whole of Sightline on each broker, once for all tests of this folder, and eyes on its
topics.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from pytest_django import Settings

from sightline.kafka import OFFSET_NEWEST, PartitionReader, Record
from sightline.kafka.topics import Topic
from sightline.messages import Frame, Prediction
from tests.servers.kafka import KafkaServer
from tests.servers.otlp import Collector
from tests.servers.rtsp import RtspServer
from tests.servers.stack import Stack
from tests.servers.video import face_video
from tests.servers.waiting import wait_until

TRACE_EVERY = 10
# Half of what the demo camera has by itself: each frame takes 20 ms of processor time, and two of
# these stacks run beside all other tests.
FPS = 5


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here start processes; those of one broker share a running Sightline."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            if callspec := getattr(item, "callspec", None):
                item.add_marker(pytest.mark.xdist_group(f"pipeline on {callspec.params['broker']}"))


# Those that run: a Sightline that goes on working takes half a core from the tests of other
# folders.
_running: list[Stack] = []


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """End it after the last test of this folder, not only at the end of the session."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        while _running:
            _running.pop().stop()


class Broker(Protocol):
    """A broker that can be killed outright."""

    address: str

    def kill(self) -> None: ...

    def come_back(self) -> None: ...


class Embedded:
    """The embedded broker: a process of the stack, which restarts it."""

    address = ""

    def __init__(self) -> None:
        self.stack: Stack | None = None

    def kill(self) -> None:
        assert self.stack
        os.kill(self.stack.pid("broker"), signal.SIGKILL)

    def come_back(self) -> None:
        """Nobody has to help it."""


class Apache:
    """A real Apache Kafka beside the stack; here the test restarts it."""

    def __init__(self, server: KafkaServer) -> None:
        self.server = server
        self.address = server.bootstrap

    def kill(self) -> None:
        self.server.kill()

    def come_back(self) -> None:
        self.server.start()


@pytest.fixture(scope="session", params=["embedded", "kafka"])
def broker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Embedded | Apache]:
    """Each of the two brokers."""
    if request.param == "embedded":
        yield Embedded()
        return
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaServer(folder / "data", folder / "kafka.log") as server:
        yield Apache(server)


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Takes the traces of every stack."""
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="session")
def stack(
    broker: Embedded | Apache, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Sightline with its demo camera, on each of the brokers."""
    tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "TRACE_EVERY": str(TRACE_EVERY)}
    with Stack(
        tmp_path_factory.mktemp("stack"), kafka=broker.address, environment=tracing
    ) as stack:
        if isinstance(broker, Embedded):
            broker.stack = stack
        stack.operator().change_camera("conveyor", fps=FPS)
        _running.append(stack)
        yield stack


class Eyes:
    """Reads a stack's topics."""

    def __init__(self) -> None:
        self.consumers: list[PartitionReader] = []

    def records(
        self, *topics: Topic, timeout: float = 20, offset: int = OFFSET_NEWEST
    ) -> Iterator[Record]:
        """The records from ``offset`` on, else from now on; TimeoutError when none comes for
        ``timeout`` seconds.
        """
        consumer = PartitionReader()
        self.consumers.append(consumer)
        for topic in topics:
            consumer.watch(topic, offset=offset)
        while True:
            record = wait_until(
                lambda: consumer.poll(0.2),
                timeout,
                f"a record in {', '.join(topic.name for topic in topics)}",
                interval=0,
            )
            assert record
            yield record

    def predictions(
        self, topic: Topic, model: str, timeout: float = 20, offset: int = OFFSET_NEWEST
    ) -> Iterator[Prediction]:
        """One model's predictions from ``offset`` on, else from now on."""
        for record in self.records(topic, timeout=timeout, offset=offset):
            if (prediction := Prediction.from_json(record.value)).model == model:
                yield prediction

    def frames(self, topic: Topic, camera: str, timeout: float = 20) -> Iterator[Frame]:
        """A camera's frames from now on."""
        for record in self.records(topic, timeout=timeout):
            yield Frame.from_record(camera, record.value, record.header_map, record.offset)

    def close(self) -> None:
        """Close all connections."""
        for consumer in self.consumers:
            consumer.close()


@pytest.fixture(scope="session")
def face_camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """An RTSP camera that shows a photograph with a face. A test that stops it starts it again."""
    folder = tmp_path_factory.mktemp("face")
    with RtspServer(face_video(folder / "face.mp4"), log=folder / "rtsp.log") as server:
        yield server


@pytest.fixture
def eyes(stack: Stack, settings: Settings) -> Iterator[Eyes]:
    """Eyes on the stack's Kafka."""
    settings.KAFKA_BOOTSTRAP_SERVERS = stack.bootstrap
    settings.KAFKA_EMBEDDED = not stack.kafka
    eyes = Eyes()
    yield eyes
    eyes.close()


@pytest.fixture
def cameras(stack: Stack) -> Iterator[Callable[..., str]]:
    """Adds cameras in the admin, as a person does, and deletes them afterwards."""
    operator = stack.operator()
    added: list[str] = []

    def add(slug: str, kind: str, url: str, **fields: object) -> str:
        operator.add_camera(slug, kind, url, **fields)
        added.append(slug)
        return slug

    yield add
    for slug in added:
        with contextlib.suppress(AssertionError):
            operator.delete_camera(slug)
