"""A records worker ends in the middle of its work, by SIGTERM or kill -9, on a real Kafka: both
deliveries keep their promise.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from sightline.kafka import Admin, Producer, topics
from sightline.kafka.topics import Topic
from tests.conftest import HOME
from tests.inference.streams.flows import PartitionsReader
from tests.servers.kafka import KafkaServer
from tests.servers.process import Child
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow

COUNT = 3000
BAD = 30
SET_UP = """
from inference.models import Deployment, Model, ModelVersion
for slug, delivery in (("once", "exactly-once"), ("often", "every")):
    model = Model.objects.create(slug=slug, name=slug, partitions=2)
    options = {"model": "slow_model"}
    version = ModelVersion.objects.create(
        model=model, version="1", runtime="python", options=options
    )
    Deployment.objects.create(version=version, kind="records", delivery=delivery)
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaServer(folder / "data", folder / "kafka.log") as server:
        yield server


@pytest.fixture(scope="module")
def database(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A database with one model under each delivery."""
    folder = tmp_path_factory.mktemp("database")
    environment = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'test.sqlite3'}",
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
        "PYTHON_MODELS": "tests.models_for_tests.SlowModel",
    }
    for command in (["migrate", "-v0"], ["shell", "--no-imports", "-c", SET_UP]):
        subprocess.run(
            [sys.executable, HOME / "manage.py", *command],
            env={**os.environ, **environment},
            check=True,
            timeout=120,
        )
    return environment


@pytest.fixture
def environment(
    database: dict[str, str], kafka: KafkaServer, settings: Settings, request: pytest.FixtureRequest
) -> dict[str, str]:
    """What a worker is started with, to work on topics of the test's own."""
    settings.KAFKA_BOOTSTRAP_SERVERS, settings.KAFKA_EMBEDDED = kafka.bootstrap, False
    settings.TOPIC_PREFIX = f"ended{abs(hash(request.node.name)) % 10**6}"
    return {**database, "TOPIC_PREFIX": settings.TOPIC_PREFIX}


def send(model: str, seconds: float = 0.001) -> None:
    """Send COUNT records to two partitions, BAD of them broken."""
    Admin().ensure(topics.record_topics(model, "1", 2))
    producer, topic = Producer(**{"acks": "all", "linger.ms": 20}), topics.inputs(model, "1")
    for number in range(COUNT):
        value = (
            b"{"
            if number % (COUNT // BAD) == 0
            else json.dumps({"id": number, "seconds": seconds}).encode()
        )
        producer.send(topic, value, key=str(number), partition=number % 2)
    assert producer.flush(20) == 0


def readers_of(*found: Topic) -> list[PartitionsReader]:
    """A reader for each topic."""
    return [PartitionsReader(topic) for topic in found]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["sigterm", "kill-9"])
def test_nothing_is_lost_and_exactly_once_is_once(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    once, often = (
        readers_of(topics.outputs(model, "1", 2), topics.errors(model, "1"))
        for model in ("once", "often")
    )
    send("once", 0.002)

    def answered(readers: list[PartitionsReader]) -> int:
        return len({record.key for each in readers for record in each.read()})

    worker = Child(
        [sys.executable, HOME / "manage.py", "runworkers", "records"],
        tmp_path / "worker.log",
        env=environment,
        cwd=HOME,
    )
    with worker:
        # The first transaction of a broker takes a while.
        worker.wait_until(lambda: answered(once), 60, "the first record")
        send("often")
        worker.wait_until(
            lambda: min(answered(once), answered(often)) > COUNT // 10, 60, "a part of the records"
        )
        worker.send_signal(number)
        assert worker.wait(20) == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    assert max(answered(once), answered(often)) < COUNT, "it was not in the middle"

    with worker:
        worker.wait_until(lambda: min(answered(once), answered(often)) == COUNT, 90, "all records")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    wait_until(lambda: all(each.ended() for each in (*once, *often)), 20, "the ends of all topics")

    keys = Counter(record.key for reader in once for record in reader.read())
    assert len(keys) == COUNT
    assert set(keys.values()) == {1}
    assert len(once[1].records) == BAD
    repeated = sum(len(reader.records) for reader in often) - COUNT
    assert repeated == 0 or number == signal.SIGKILL
    for reader in (*once, *often):
        reader.close()


def test_a_second_worker_takes_its_share_and_nothing_is_done_twice(
    environment: dict[str, str], tmp_path: Path
) -> None:
    once = readers_of(topics.outputs("once", "1", 2), topics.errors("once", "1"))
    send("once", 0.003)

    def answered() -> int:
        return len({record.key for each in once for record in each.read()})

    command = [sys.executable, str(HOME / "manage.py"), "runworkers", "records"]
    first, second = (
        Child(command, tmp_path / f"{name}.log", env=environment, cwd=HOME)
        for name in ("first", "second")
    )
    with first:
        first.wait_until(lambda: answered() > COUNT // 20, 60, "a part of the records")
        with second:
            second.wait_until(
                lambda: b"model running model=once@1" in second.log.read_bytes(),
                60,
                "the second worker to load",
            )
            assert answered() < COUNT // 2, "it came too late to share the work"
            second.wait_until(lambda: answered() == COUNT, 90, "all records")
            for worker in (first, second):
                worker.send_signal(signal.SIGTERM)
                assert worker.wait(20) == 0
    wait_until(lambda: all(each.ended() for each in once), 20, "the ends of all topics")

    assert set(Counter(record.key for reader in once for record in reader.records).values()) == {1}
    for reader in once:
        reader.close()


@pytest.mark.parametrize("outage", [0, 12], ids=["short", "longer-than-a-session"])
def test_a_broker_that_is_killed_in_the_middle_costs_nothing(
    environment: dict[str, str], kafka: KafkaServer, tmp_path: Path, outage: int
) -> None:
    once = readers_of(topics.outputs("once", "1", 2), topics.errors("once", "1"))
    send("once")

    def answered() -> int:
        return len({record.key for each in once for record in each.read()})

    worker = Child(
        [sys.executable, HOME / "manage.py", "runworkers", "records"],
        tmp_path / "worker.log",
        env=environment,
        cwd=HOME,
    )
    with worker:
        worker.wait_until(lambda: answered() > COUNT // 10, 60, "a part of the records")
        kafka.kill()
        assert not threading.Event().wait(outage)
        kafka.start()
        worker.wait_until(lambda: answered() == COUNT, 90, "all records")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    wait_until(lambda: all(each.ended() for each in once), 20, "the ends of all topics")

    assert set(Counter(record.key for reader in once for record in reader.records).values()) == {1}
    for reader in once:
        reader.close()
