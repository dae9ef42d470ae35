from __future__ import annotations

import confluent_kafka
import orjson
import pytest

from sightline.kafka.connection import client_log
from sightline.kafka.stall_detector import (
    LEADERLESS_INTERVALS,
    UNCONNECTED_SECONDS,
    UNREAD_INTERVALS,
    StallDetector,
)
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until


def statistics(**fields: object) -> str:
    """Of a client that is connected to its only broker and reads one partition; the fields of
    librdkafka that are judged.
    """
    partition = {
        "leader": 1,
        "leader_epoch": 4,
        "broker": 1,
        "hi_offset": 7,
        "unknown": False,
        "desired": True,
        **fields,
    }
    found = {
        "brokers": {"one": {"state": "UP", "nodeid": 1}},
        "topics": {"frames": {"partitions": {"0": partition}}},
    }
    return orjson.dumps(found).decode()


def lost(detector: StallDetector, *reports: str) -> bool:
    """Whether the partitions count as lost after these statistics."""
    for report in reports:
        detector.on_statistics(report)
    return detector.lost


@pytest.mark.parametrize("sign", ["broker", "hi_offset"])
def test_a_topic_that_was_deleted_and_recreated_is_lost(sign: str) -> None:
    detector = StallDetector()
    gone, back = statistics(unknown=True, **{sign: -1}), statistics(**{sign: -1})

    assert not lost(detector, *[gone] * 10), "a new client would not find it, either"
    assert not lost(detector, *[back] * (UNREAD_INTERVALS - 1))
    assert lost(detector, back)

    detector.on_new_client()
    assert not lost(detector, *[statistics(leader_epoch=0)] * 10)
    assert lost(detector, *[back] * UNREAD_INTERVALS), (
        "it may be deleted again as soon as it is read again"
    )


def test_new_clients_are_not_made_one_after_the_other_where_none_helps() -> None:
    detector = StallDetector()
    unread = [statistics(broker=-1)] * UNREAD_INTERVALS

    assert lost(detector, *unread)
    detector.on_new_client()

    assert not lost(detector, *unread * 5)


def test_what_nobody_wants_and_what_is_read_is_not_lost() -> None:
    assert not lost(
        StallDetector(), *[statistics()] * 10, *[statistics(desired=False, broker=-1)] * 10
    )
    assert not lost(StallDetector(), *[statistics(broker=-1), statistics()] * 10), (
        "for a moment it may be so"
    )


@pytest.mark.parametrize(("epoch", "had_one"), [(4, True), (-1, False)])
def test_a_partition_that_had_a_leader_and_stays_without_one_is_lost(
    epoch: int, had_one: bool
) -> None:
    detector = StallDetector()
    leaderless = statistics(leader=-1, leader_epoch=epoch)

    assert not lost(detector, *[leaderless] * (LEADERLESS_INTERVALS - 1))
    assert lost(detector, leaderless) is had_one


def brokers(*states: str, seconds: float = 0.1) -> str:
    """Of a client that reads a topic, with brokers in these states for so long."""
    known = {
        str(number): {"state": state, "nodeid": number, "stateage": int(seconds * 1e6)}
        for number, state in enumerate(states)
    }
    found = {"brokers": known, "topics": {"frames": {"partitions": {}}}}
    return orjson.dumps(found).decode()


def test_a_client_that_connects_to_nobody_is_lost_and_one_that_tries_is_not() -> None:
    detector = StallDetector()
    long = 1.1 * UNCONNECTED_SECONDS

    assert not lost(
        detector,
        brokers("INIT", "INIT", seconds=0.9 * UNCONNECTED_SECONDS),
        brokers("INIT", "TRY_CONNECT", seconds=long),
    )
    assert not lost(detector, *[brokers("INIT", "INIT")] * 20), (
        "Kafka is away: between two attempts it looks like this"
    )
    assert lost(detector, brokers("INIT", "INIT", seconds=long))

    detector.on_new_client()
    assert not detector.lost
    assert not lost(
        StallDetector(),
        '{"brokers": {"one": {"state": "INIT", "nodeid": 1, "stateage": 90000000}}}',
    ), "nothing is wanted of it"


def test_a_client_whose_kafka_is_away_is_not_lost() -> None:
    """By librdkafka's own statistics."""
    detector, judgements = StallDetector(), []
    configuration = {
        "bootstrap.servers": f"127.0.0.1:{free_port()}",
        "group.id": "away",
        "reconnect.backoff.max.ms": 1000,
        **detector.configuration,
    }

    def judge(statistics: str) -> None:
        detector.on_statistics(statistics)
        judgements.append(detector.lost)

    client = confluent_kafka.Consumer(
        {**configuration, "stats_cb": judge, "statistics.interval.ms": 200}, logger=client_log
    )
    client.assign([confluent_kafka.TopicPartition("frames", 0)])
    wait_until(
        lambda: client.poll(0.1) or len(judgements) > 5 * (UNCONNECTED_SECONDS + 2),
        60,
        "statistics",
        interval=0,
    )
    client.close()
    assert not any(judgements)
