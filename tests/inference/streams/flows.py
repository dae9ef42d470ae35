"""A model between its topics, and eyes on what comes out."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from inference.record_plans import RecordPlan
from inference.runner.state import ModelTracker
from inference.streams.predict import RecordPredictor
from inference.streams.stream import RecordStream
from sightline.kafka import OFFSET_BEGINNING, Admin, Consumer, Headers, Producer, Record, topics
from sightline.kafka.topics import Topic
from tests.servers.waiting import wait_until

IRIS = {"sepal_length": 1.1, "sepal_width": 2.2, "petal_length": 3.3, "petal_width": 1.4}


class Eyes:
    """Reads all partitions of a topic from the beginning and keeps the records."""

    def __init__(self, topic: Topic) -> None:
        admin = Admin()
        admin.ensure([topic])
        overrides: dict[str, Any] = {"enable.partition.eof": True}
        self.consumer = Consumer(**overrides)
        self.records: list[Record] = []
        self.partitions = {
            (topic.name, partition) for partition in range(admin.partitions()[topic.name])
        }
        for _, partition in self.partitions:
            self.consumer.watch(topic, partition, 0)

    def look(self) -> list[Record]:
        """All records so far."""
        self.records += self.consumer.read(1000, 0.02)
        return self.records

    def ended(self) -> bool:
        """Whether all there is has been read."""
        self.look()
        return self.consumer.ended >= self.partitions

    def close(self) -> None:
        """Close the connection."""
        self.consumer.close()


class Alone(RecordStream):
    """Reads all partitions itself: the embedded broker keeps every new group waiting for three
    seconds.
    """

    def open(self) -> None:
        self.topics.ensure()
        topic, consumer = self.topics.inputs, self.inputs.consumer
        partitions = [(topic.name, number) for number in range(self.admin.partitions()[topic.name])]
        for _, number in partitions:
            committed = consumer.committed(topic, number)
            consumer.watch(topic, number, OFFSET_BEGINNING if committed is None else committed)
        self.inputs.assign(partitions)


class Flow:
    """One model version at work in this thread. ``partitions`` are those of its inputs;
    ``in_group``: it reads as a member of its group.
    """

    def __init__(
        self, name: str, partitions: int = 1, *, in_group: bool = False, **plan: Any
    ) -> None:
        self.kind = RecordStream if in_group else Alone
        options = plan.pop("options", {"model": name})
        self.plan = RecordPlan(
            plan.pop("slug", "m"),
            "1",
            plan.pop("runtime", "python"),
            json.dumps(options),
            partitions=partitions,
            **plan,
        )
        self.inputs, self.outputs, self.errors = topics.record_topics(
            self.plan.model, "1", partitions
        )
        self.stopping = threading.Event()
        self.tracker = ModelTracker(self.plan.model, "1")
        self.stream: RecordStream | None = None
        self.eyes: dict[str, Eyes] = {}

    def send(
        self, *values: object, key: bytes | None = None, headers: Headers = (), partition: int = 0
    ) -> None:
        """Put records into the inputs: bytes and None as they are, all else as JSON."""
        Admin().ensure([self.inputs])
        producer = Producer(**{"message.max.bytes": 10_000_000})
        for value in values:
            raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
            assert producer.send(self.inputs, raw, key=key, headers=headers, partition=partition)
        assert producer.flush(10) == 0

    def start(self, worker: str = "worker") -> RecordStream:
        """A worker begins."""
        predictor = RecordPredictor(self.plan, self.stopping)
        predictor.load()
        self.stream = self.kind(self.plan, predictor, self.tracker, self.stopping, worker)
        self.stream.open()
        return self.stream

    def step(self) -> None:
        """One round, of a worker that is started when there is none."""
        (self.stream or self.start()).step(0.05)

    def work_until(self, condition: Callable[[], bool], what: str, timeout: float = 30) -> None:
        """Work until the condition holds."""

        def holds() -> bool:
            self.step()
            return condition()

        wait_until(holds, timeout, what, interval=0)

    def records(self, topic: Topic, count: int, timeout: float = 30) -> list[Record]:
        """At least so many records of a topic, while the worker works."""
        eyes = self.eyes.get(topic.name) or self.eyes.setdefault(topic.name, Eyes(topic))

        self.work_until(
            lambda: len(eyes.look()) >= count, f"{count} records in {topic.name}", timeout
        )
        return eyes.records

    def results(self, count: int) -> list[Any]:
        """So many outputs, read as JSON."""
        return [json.loads(record.value or b"") for record in self.records(self.outputs, count)]

    def letters(self, count: int) -> list[Record]:
        """So many dead letters."""
        return self.records(self.errors, count)

    def stop(self) -> None:
        """The worker ends in order."""
        if self.stream is not None:
            self.stream.close()
            self.stream.predictor.close()
        self.stream = None

    def close(self) -> None:
        """End everything."""
        self.stop()
        for eyes in self.eyes.values():
            eyes.close()


def reason(letter: Record) -> str:
    """Why a dead letter is one."""
    return letter.header_map["dlt-exception-message"].decode()
