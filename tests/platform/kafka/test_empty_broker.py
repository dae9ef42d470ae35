"""What clients make of a broker that came back empty, on a real Apache Kafka."""

from __future__ import annotations

import time

import pytest

from sightline.kafka import Admin, GroupConsumer, Producer, TopicWatchdog, topics
from sightline.kafka.topics import Topic
from tests.servers.kafka import KafkaServer
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.slow
DOCK = topics.frames("dock")
SESSION_SECONDS = 6


def come_back_empty(server: KafkaServer) -> None:
    server.kill()
    server.wipe()
    server.start()


@pytest.mark.parametrize(
    "others",
    [[], [topics.predictions("dock")]],
    ids=["alone", "beside a topic that others recreate"],
)
def test_a_producer_recreates_its_topic_and_delivers_again(
    server: KafkaServer, others: list[Topic]
) -> None:
    Admin().ensure([DOCK, *others])
    producer = Producer()
    watchdog = TopicWatchdog(producer)

    def delivers(*wanted: Topic) -> bool:
        since = time.monotonic()
        for topic in wanted:
            producer.send(topic, b"")
        producer.serve(0.5)
        return all(producer.delivered_at.get(topic.name, 0.0) > since for topic in wanted)

    wait_until(lambda: delivers(DOCK, *others), 30, "a record to be delivered")
    watchdog.start()
    come_back_empty(server)
    if others:
        wait_until(lambda: Admin().ensure(others), 30, "the others' topics to be recreated")
        wait_until(lambda: delivers(*others), 30, "records for them to be delivered")
    wait_until(lambda: delivers(DOCK, *others), 60, "a record to be delivered to the empty broker")
    watchdog.stop()
    producer.flush(5)

    assert producer.sent == producer.delivered + producer.failed
    assert producer.bytes_queued == 0


def test_a_record_that_is_refused_for_want_of_its_topic_waits_for_it(server: KafkaServer) -> None:
    """librdkafka knows that the topic is gone, and takes no record for it: the topic counts as
    stuck, too.
    """
    admin = Admin()
    admin.ensure([DOCK])
    producer = Producer(
        **{"topic.metadata.propagation.max.ms": 100}
    )  # as if it were older than half a minute

    def delivers() -> bool:
        before = producer.delivered
        producer.send(DOCK, b"")
        producer.serve(0.2)
        return producer.delivered > before

    def refuses_and_is_stuck() -> bool:
        producer.serve(0.1)
        producer.pop_stuck(0)
        return not producer.send(DOCK, b"") and producer.pop_stuck(0) == [DOCK]

    wait_until(delivers, 30, "a record to be delivered")
    admin.client.delete_topics([DOCK.name])[DOCK.name].result(10)
    wait_until(refuses_and_is_stuck, 20, "a record to be refused, and its topic to be stuck")
    producer.flush(5)


def test_a_member_reads_again_once_its_topic_is_recreated(server: KafkaServer) -> None:
    """librdkafka assigns what it finds while it joins, and does not look again if it then finds
    what it had before it lost everything.
    """
    Admin().ensure([DOCK])
    shares: list[int] = []
    member, before = GroupConsumer("group"), Producer()
    member.subscribe([DOCK], on_assign=lambda them: shares.append(len(them)))

    def reads(producer: Producer) -> bool:
        producer.send(DOCK, b"")
        return member.poll(0.1) is not None

    wait_until(lambda: reads(before), 30, "a record")
    come_back_empty(server)
    without = time.monotonic()

    def has_noticed() -> bool:
        member.poll(0.1)
        return shares[-1:] == [0] or time.monotonic() > without + 2 * SESSION_SECONDS

    # Mostly it joins at once, is assigned nothing, and says so. Whatever happens, it has to notice
    # the new topic.
    wait_until(has_noticed, 60, "an empty assignment, or two sessions to be over")
    Admin().ensure([DOCK])
    after = Producer()
    wait_until(lambda: reads(after), 60, "a record of the new topic")
    member.close()
