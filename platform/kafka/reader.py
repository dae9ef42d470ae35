"""Reading a topic from outside any group: its newest records, or all from some place on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Final

from django.conf import settings

from sightline.kafka import Admin, Consumer, KafkaUnavailable, NoSuchTopic, Record
from sightline.kafka.topics import Topic

MAX_READ: Final = 500
POLL_SECONDS: Final = 0.2


def partitions_of(name: str) -> range:
    """The partitions of a topic that is there; KafkaUnavailable otherwise."""
    partitions = Admin().partitions()
    if name not in partitions:
        raise KafkaUnavailable(
            f"There is no topic {name}. `manage.py topics list` shows those that there are."
        )
    return range(partitions[name])


def newest(name: str, count: int, timeout: float = 10.0) -> list[Record]:
    """The newest ``count`` records of all partitions together, oldest first; KafkaUnavailable
    when they do not come in time.
    """
    consumer = Consumer("", **{"enable.partition.eof": True})
    deadline = time.monotonic() + timeout
    try:
        found = [
            record
            for partition in partitions_of(name)
            for record in _newest_of(consumer, Topic(name), partition, count, deadline)
        ]
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.timestamp, record.partition, record.offset))[
        -count:
    ]


def _newest_of(
    consumer: Consumer, topic: Topic, partition: int, count: int, deadline: float
) -> list[Record]:
    low, high = consumer.range(topic, partition)
    back = count
    while True:
        start = max(low, high - back)
        found = _to_the_end(consumer, topic, partition, start, deadline) if start < high else []
        # Not every offset is a record: transactions leave marks, compaction leaves gaps.
        if len(found) >= count or start <= low:
            return found[-count:]
        back *= 4


def _to_the_end(
    consumer: Consumer, topic: Topic, partition: int, start: int, deadline: float
) -> list[Record]:
    found: list[Record] = []
    consumer.ended.clear()
    consumer.watch(topic, partition, start)
    try:
        while (topic.name, partition) not in consumer.ended:
            if time.monotonic() > deadline:
                raise KafkaUnavailable(f"{topic.name} could not be read in time.")
            found += consumer.read(MAX_READ, POLL_SECONDS)
    finally:
        consumer.unwatch(topic, partition)
    return found


def recent(name: str, since: int, guess: int, timeout: float = 2.0) -> list[Record]:
    """The records of a topic's only partition that are not older than ``since`` (ms since the
    epoch), oldest first; ``guess``: about how many.

    A topic that is not there has none. Asks no broker for the offsets of times: the embedded one
    knows none. KafkaUnavailable when they do not come in time.
    """
    consumer = Consumer()
    deadline = time.monotonic() + timeout
    try:
        low, high = consumer.range(Topic(name), timeout=timeout)
        start = max(low, high - guess)
        found = _between(consumer, Topic(name), start, high, deadline)
        while start > low and found[0].timestamp >= since:
            before, start = start, max(low, start - 3 * (high - start))
            found = _between(consumer, Topic(name), start, before, deadline) + found
    except NoSuchTopic:
        return []
    finally:
        consumer.close()
    return [record for record in found if record.timestamp >= since]


def _between(
    consumer: Consumer, topic: Topic, start: int, end: int, deadline: float
) -> list[Record]:
    found: list[Record] = []
    if start >= end:
        return found
    consumer.watch(topic, offset=start)
    try:
        while not found or found[-1].offset < end - 1:
            if time.monotonic() > deadline:
                raise KafkaUnavailable(f"{topic.name} could not be read in time.")
            found += consumer.read(MAX_READ, POLL_SECONDS)
    finally:
        consumer.unwatch(topic)
    return [record for record in found if record.offset < end]


def before_the_end(name: str, partitions: range, count: int) -> dict[int, int]:
    """Where the last ``count`` offsets of each partition begin."""
    consumer = Consumer()
    try:
        ranges = {partition: consumer.range(Topic(name), partition) for partition in partitions}
    finally:
        consumer.close()
    return {partition: max(low, high - count) for partition, (low, high) in ranges.items()}


def since(name: str, partitions: range, timestamp: int, timeout: float = 60.0) -> dict[int, int]:
    """Where records begin that are not older than ``timestamp`` (ms since the epoch);
    KafkaUnavailable when that is not known in time.
    """
    deadline = time.monotonic() + timeout
    consumer = Consumer("", **{"enable.partition.eof": True})
    try:
        # The embedded broker knows no times, and keeps so little that it can be read through.
        return {
            partition: (
                _first_since(consumer, Topic(name), partition, timestamp, deadline)
                if settings.KAFKA_EMBEDDED
                else consumer.offset_at(Topic(name), partition, timestamp)
            )
            for partition in partitions
        }
    finally:
        consumer.close()


def _first_since(
    consumer: Consumer, topic: Topic, partition: int, timestamp: int, deadline: float
) -> int:
    """The first offset whose record is not older; where the next record will be when there is
    none.
    """
    low, high = consumer.range(topic, partition)
    records = _to_the_end(consumer, topic, partition, low, deadline) if low < high else []
    return next((record.offset for record in records if record.timestamp >= timestamp), high)


def follow(name: str, starts: Mapping[int, int], stop: threading.Event) -> Iterator[list[Record]]:
    """The records from ``starts`` on, in batches, for ever; an empty one when none has come for
    a moment.
    """
    consumer = Consumer(**{"auto.offset.reset": "earliest"})
    try:
        for partition, offset in starts.items():
            consumer.watch(Topic(name), partition, offset)
        while not stop.is_set():
            yield consumer.read(MAX_READ, POLL_SECONDS)
    finally:
        consumer.close()
