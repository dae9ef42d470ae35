from __future__ import annotations

import orjson
import pytest

from sightline.kafka.leaders import LEADERLESS_LOOKS, UNCONNECTED_LOOKS, UNREAD_LOOKS, Leaders


def statistics(**fields: object) -> str:
    """Of a client that is connected to its only broker and reads one partition; the fields of librdkafka that are looked at."""
    partition = {"leader": 1, "leader_epoch": 4, "broker": 1, "hi_offset": 7, "unknown": False, "desired": True, **fields}
    found = {"brokers": {"one": {"state": "UP", "nodeid": 1}}, "topics": {"frames": {"partitions": {"0": partition}}}}
    return orjson.dumps(found).decode()


def lost(leaders: Leaders, *looks: str) -> bool:
    """Whether the partitions count as lost after these looks."""
    for look in looks:
        leaders.look(look)
    return leaders.lost


@pytest.mark.parametrize("sign", ["broker", "hi_offset"])
def test_a_topic_that_was_deleted_and_made_anew_is_lost(sign: str) -> None:
    leaders = Leaders()
    gone, back = statistics(unknown=True, **{sign: -1}), statistics(**{sign: -1})

    assert not lost(leaders, *[gone] * 10), "a new client would not find it, either"
    assert not lost(leaders, *[back] * (UNREAD_LOOKS - 1))
    assert lost(leaders, back)

    leaders.renewed()
    assert not lost(leaders, *[statistics(leader_epoch=0)] * 10)
    assert lost(leaders, *[back] * UNREAD_LOOKS), "it may be deleted again as soon as it is read again"


def test_new_clients_are_not_made_one_after_the_other_where_none_helps() -> None:
    leaders = Leaders()
    unread = [statistics(broker=-1)] * UNREAD_LOOKS

    assert lost(leaders, *unread)
    leaders.renewed()

    assert not lost(leaders, *unread * 5)


def test_what_nobody_wants_and_what_is_read_is_not_lost() -> None:
    assert not lost(Leaders(), *[statistics()] * 10, *[statistics(desired=False, broker=-1)] * 10)
    assert not lost(Leaders(), *[statistics(broker=-1), statistics()] * 10), "for a moment it may be so"


@pytest.mark.parametrize(("epoch", "had_one"), [(4, True), (-1, False)])
def test_a_partition_that_had_a_leader_and_stays_without_one_is_lost(epoch: int, had_one: bool) -> None:
    leaders = Leaders()
    leaderless = statistics(leader=-1, leader_epoch=epoch)

    assert not lost(leaders, *[leaderless] * (LEADERLESS_LOOKS - 1))
    assert lost(leaders, leaderless) is had_one


def brokers(*states: str) -> str:
    """Of a client that reads a topic, with brokers in these states."""
    known = {str(number): {"state": state, "nodeid": number} for number, state in enumerate(states)}
    found = {"brokers": known, "topics": {"frames": {"partitions": {}}}}
    return orjson.dumps(found).decode()


def test_a_client_that_connects_to_nobody_is_lost_and_one_that_tries_is_not() -> None:
    leaders = Leaders()

    assert not lost(leaders, *[brokers("INIT", "INIT")] * (UNCONNECTED_LOOKS - 1), brokers("INIT", "TRY_CONNECT"))
    assert not lost(leaders, *[brokers("DOWN", "INIT")] * 20), "Kafka is away: a new client would not find it, either"
    assert lost(leaders, *[brokers("INIT", "INIT")] * UNCONNECTED_LOOKS)

    leaders.renewed()
    assert not leaders.lost
    assert not lost(Leaders(), *['{"brokers": {"one": {"state": "INIT", "nodeid": 1}}}'] * 20), "nothing is wanted of it"
