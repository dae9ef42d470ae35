from __future__ import annotations

import time

import pytest

from sightline.kafka import PartitionReader, Producer, Record
from sightline.kafka.topics import Topic
from tests.servers.waiting import wait_until
from tests.support import reading


@pytest.fixture
def topic(embedded: str, request: pytest.FixtureRequest) -> Topic:
    return Topic(f"records.{request.node.name}")


def test_a_record_arrives_as_it_was_sent(topic: Topic) -> None:
    producer = Producer()
    sent = producer.send(
        topic,
        b"\xff\xd8",
        key="dock",
        headers={"seq": b"7", "bytes": b"\xff\x00", "empty": b""},
        timestamp=1_700_000_000_123,
    )

    with reading(topic) as reader:
        record = reader.wait()[0]

    assert sent
    assert record == Record(
        topic.name,
        0,
        0,
        1_700_000_000_123,
        b"dock",
        b"\xff\xd8",
        (("seq", b"7"), ("bytes", b"\xff\x00"), ("empty", b"")),
    )
    assert record.header_map == {"seq": b"7", "bytes": b"\xff\x00", "empty": b""}


def test_without_a_timestamp_it_is_now(topic: Topic) -> None:
    before = time.time_ns() // 1_000_000
    Producer().send(topic, b"x")

    with reading(topic) as reader:
        assert before <= reader.wait()[0].timestamp <= time.time_ns() // 1_000_000


def test_repeated_headers_keep_their_order_and_a_tombstone_has_no_value(topic: Topic) -> None:
    Producer().send(topic, None, key="dock", headers=[("a", b"1"), ("a", b"2")])

    with reading(topic) as reader:
        record = reader.wait()[0]

    assert record.value is None
    assert record.headers == (("a", b"1"), ("a", b"2"))
    assert record.header_map == {"a": b"2"}


def test_deliveries_are_counted_and_reported(topic: Topic) -> None:
    producer = Producer()
    reports: list[str] = []
    for _ in range(3):
        producer.send(topic, b"x", on_delivery=reports.append)
    producer.send(topic, b"x")

    assert producer.flush(10) == 0
    assert reports == ["", "", ""]
    assert (producer.sent, producer.delivered, producer.failed, producer.dropped) == (4, 4, 0, 0)


def test_watching_begins_with_the_newest_record(topic: Topic) -> None:
    producer = Producer()
    for number in range(3):
        producer.send(topic, b"%d" % number)
    producer.flush(10)
    consumer = PartitionReader()
    values: list[bytes | None] = []

    def newest(count: int) -> bool:
        record = consumer.poll(0.05)
        values.extend([] if record is None else [record.value])
        return len(values) >= count

    consumer.watch(topic)
    wait_until(lambda: newest(1))
    producer.send(topic, b"3")
    wait_until(lambda: newest(2))

    assert values == [b"2", b"3"]
    consumer.unwatch(topic)
    consumer.close()


def test_the_range_of_a_topic_is_known(topic: Topic) -> None:
    producer = Producer()
    for _ in range(3):
        producer.send(topic, b"x")
    producer.flush(10)
    consumer = PartitionReader()

    assert consumer.offsets.range(topic) == (0, 3)
    assert consumer.check()
    consumer.close()
