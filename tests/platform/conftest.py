"""Brokers that a test may kill: the embedded one in a process of its own, as `up` starts it, and
a real Apache Kafka.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.conftest import HOME
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_port, is_listening
from tests.servers.process import Child


class BrokerProcess:
    """``manage.py runbroker``: it can be killed and comes back behind the same port, knowing
    nothing.
    """

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.child = Child([sys.executable, HOME / "manage.py", "runbroker", str(self.port)], log)

    def start(self) -> None:
        self.child.start()
        self.child.wait_until(lambda: is_listening(self.port), what="the broker to listen")


@pytest.fixture
def broker(tmp_path: Path, settings: Settings) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path / "broker.log")
    broker.start()
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{broker.port}"
    settings.KAFKA_EMBEDDED = True
    yield broker
    broker.child.stop()


@pytest.fixture
def server(tmp_path: Path, settings: Settings) -> Iterator[KafkaServer]:
    """A real Kafka of the test's own."""
    with KafkaServer(tmp_path / "kafka", tmp_path / "kafka.log") as server:
        settings.KAFKA_BOOTSTRAP_SERVERS = server.bootstrap
        settings.KAFKA_EMBEDDED = False
        yield server
