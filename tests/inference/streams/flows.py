"""A record stream run by the test, and readers of its topics."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from confluent_kafka import TopicPartition

from inference.plans import RecordPlan
from inference.runner.state import RunnerState
from inference.streams.predict import RecordPredictor
from inference.streams.stream import RecordStream
from sightline.kafka import (
    OFFSET_BEGINNING,
    Admin,
    Headers,
    PartitionReader,
    Producer,
    Record,
    topics,
)
from sightline.kafka.topics import Topic
from tests.servers.waiting import wait_until

IRIS = {"sepal_length": 1.1, "sepal_width": 2.2, "petal_length": 3.3, "petal_width": 1.4}


class PartitionsReader:
    """Reads all partitions of a topic from the beginning and keeps the records."""

    def __init__(self, topic: Topic) -> None:
        admin = Admin()
        admin.ensure([topic])
        overrides: dict[str, Any] = {"enable.partition.eof": True}
        self.consumer = PartitionReader(**overrides)
        self.records: list[Record] = []
        self.partitions = {
            (topic.name, partition) for partition in range(admin.partitions()[topic.name])
        }
        for _, partition in self.partitions:
            self.consumer.watch(topic, partition, 0)

    def read(self) -> list[Record]:
        """All records so far, with those that have come since."""
        self.records += self.consumer.read(1000, 0.02)
        return self.records

    def ended(self) -> bool:
        """Whether it has read all partitions to their end."""
        self.read()
        return self.consumer.ended >= self.partitions

    def close(self) -> None:
        self.consumer.close()


class Alone(RecordStream):
    """Reads all partitions outside a group: the embedded broker delays every new group by three
    seconds.
    """

    def open(self) -> None:
        self.topics.ensure()
        topic, consumer = self.topics.inputs, self.inputs.consumer
        partitions = [(topic.name, number) for number in range(self.admin.partitions()[topic.name])]
        for _, number in partitions:
            committed = consumer.offsets.committed(topic, number)
            start = OFFSET_BEGINNING if committed is None else committed
            consumer.client.incremental_assign([TopicPartition(topic.name, number, start)])
        self.inputs.assign(partitions)


class Flow:
    """One model version run in this thread. ``partitions`` are those of its inputs;
    ``in_group``: it reads as a member of its group.
    """

    def __init__(
        self, name: str, partitions: int = 1, *, in_group: bool = False, **plan: Any
    ) -> None:
        self.kind = RecordStream if in_group else Alone
        options = plan.pop("options", {"model": name})
        self.plan = RecordPlan(
            model=plan.pop("slug", "m"),
            version="1",
            runtime=plan.pop("runtime", "python"),
            options=json.dumps(options),
            partitions=partitions,
            **plan,
        )
        self.inputs, self.outputs, self.errors = topics.record_topics(
            self.plan.model, "1", partitions
        )
        self.stopping = threading.Event()
        self.state = RunnerState(self.plan.model, "1")
        self.stream: RecordStream | None = None
        self.readers: dict[str, PartitionsReader] = {}

    def send(
        self, *values: object, key: bytes | None = None, headers: Headers = (), partition: int = 0
    ) -> None:
        """Send records to the inputs: bytes and None as they are, all else as JSON."""
        Admin().ensure([self.inputs])
        producer = Producer(**{"message.max.bytes": 10_000_000})
        for value in values:
            raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
            assert producer.send(self.inputs, raw, key=key, headers=headers, partition=partition)
        assert producer.flush(10) == 0

    def start(self, worker: str = "worker") -> RecordStream:
        """Start a worker's stream."""
        predictor = RecordPredictor(self.plan, self.stopping)
        predictor.load()
        self.stream = self.kind(self.plan, predictor, self.state, self.stopping, worker)
        self.stream.open()
        return self.stream

    def step(self) -> None:
        """Run one round; start a worker if there is none."""
        (self.stream or self.start()).step(0.05)

    def work_until(self, condition: Callable[[], bool], what: str, timeout: float = 30) -> None:
        """Run rounds until the condition holds."""
        wait_until(condition, timeout, what, interval=0, beside=self.step)

    def records(self, topic: Topic, count: int, timeout: float = 30) -> list[Record]:
        """At least ``count`` records of a topic, while the worker runs."""
        if topic.name not in self.readers:
            self.readers[topic.name] = PartitionsReader(topic)
        reader = self.readers[topic.name]

        self.work_until(
            lambda: len(reader.read()) >= count, f"{count} records in {topic.name}", timeout
        )
        return reader.records

    def results(self, count: int) -> list[Any]:
        """At least ``count`` outputs, decoded."""
        return [json.loads(record.value or b"") for record in self.records(self.outputs, count)]

    def letters(self, count: int) -> list[Record]:
        """At least ``count`` dead letters."""
        return self.records(self.errors, count)

    def stop(self) -> None:
        """Shut the worker down."""
        if self.stream is not None:
            self.stream.close()
            self.stream.predictor.close()
        self.stream = None

    def close(self) -> None:
        self.stop()
        for reader in self.readers.values():
            reader.close()


def reason(letter: Record) -> str:
    """The error message of a dead letter."""
    return letter.header_map["dlt-exception-message"].decode()
