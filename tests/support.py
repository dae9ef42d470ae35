"""What the tests of the pipeline's stages share: topics of their own, a reader that remembers,
and frames to send.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.test import override_settings

from sightline.kafka import PartitionReader, Producer, Record, topics
from sightline.kafka.topics import Topic
from sightline.messages import Frame
from tests.servers.waiting import wait_until

MILLISECOND = 1_000_000

_prefixes = (f"own{os.getpid()}x{number}" for number in itertools.count())


@contextmanager
def own_topics(address: str) -> Iterator[str]:
    """Settings that point at the embedded broker at ``address``, with a topic prefix that nobody
    else uses.
    """
    with override_settings(
        KAFKA_BOOTSTRAP_SERVERS=address, KAFKA_EMBEDDED=True, TOPIC_PREFIX=next(_prefixes)
    ):
        yield address


class Reader:
    """Reads partition 0 of a topic from its beginning and keeps the records."""

    def __init__(self, topic: Topic) -> None:
        self.consumer = PartitionReader()
        self.consumer.watch(topic, offset=0)
        self.records: list[Record] = []

    def read(self) -> list[Record]:
        """All records so far, with those that have come since the last time."""
        while (record := self.consumer.poll(0.02)) is not None:
            self.records.append(record)
        return self.records

    def wait(
        self, count: int = 1, timeout: float = 15, beside: Callable[[], object] = lambda: None
    ) -> list[Record]:
        """At least ``count`` records; ``beside`` is called between the reads."""
        wait_until(lambda: len(self.read()) >= count, timeout, f"{count} records", beside=beside)
        return self.records

    def close(self) -> None:
        self.consumer.close()


@contextmanager
def reading(topic: Topic) -> Iterator[Reader]:
    """A reader for the length of the block."""
    reader = Reader(topic)
    try:
        yield reader
    finally:
        reader.close()


def frame(camera: str, jpeg: bytes = b"\xff\xd8picture\xff\xd9", seq: int = 1) -> Frame:
    """A frame captured now."""
    return Frame(camera, seq, time.time_ns(), 64, 36, jpeg)


def send_frame(producer: Producer, frame: Frame) -> None:
    """What a capture worker sends."""
    topic = topics.frames(frame.camera)
    producer.send(
        topic,
        frame.jpeg,
        key=frame.camera,
        headers=frame.headers(),
        timestamp=frame.captured_at // MILLISECOND,
    )
