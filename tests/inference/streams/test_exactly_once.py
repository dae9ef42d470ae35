"""What goes on while a transaction ends, with a producer whose transactions take time and may
fail.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from inference.streams.delivery import ExactlyOnce
from sightline.kafka import (
    DeliveryReport,
    GroupConsumer,
    NotCommitted,
    Outgoing,
    Partition,
    Record,
    ReliableProducer,
)
from sightline.kafka.topics import Topic

FIRST: Partition = ("inputs", 0)
OTHER: Partition = ("inputs", 1)


class SlowProducer:
    """Its transactions end when ``over`` is set: well, or badly when there is an ``error``."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.over.set()
        self.error = ""
        self.sent: list[bytes | None] = []
        self.open = False

    def connect(self) -> None: ...

    def begin(self) -> None:
        assert not self.open, "the last transaction has not ended"
        self.open = True

    def send_batch(self, records: Sequence[Outgoing], _report: DeliveryReport | None) -> int:
        self.sent += [value for _, value, *_ in records]
        return len(records)

    def begin_commit(self, _offsets: Mapping[Partition, int], _consumer: GroupConsumer) -> None: ...

    def finish_commit(self, *, wait: bool) -> bool:
        if not (self.over.wait(10) if wait else self.over.is_set()):
            return False
        self.open = False
        if self.error:
            raise NotCommitted(self.error)
        return True

    def abort(self) -> None:
        self.open = False


class Group:
    """Has committed the offset 5 of each partition."""

    @property
    def offsets(self) -> Group:
        return self

    def committed(self, _topic: Topic, _partition: int) -> int:
        return 5


@pytest.fixture
def producer() -> SlowProducer:
    return SlowProducer()


@pytest.fixture
def delivery(producer: SlowProducer) -> ExactlyOnce:
    """After a first round: the next do not wait for their transactions."""
    made = ExactlyOnce(
        cast(GroupConsumer, Group()), cast(ReliableProducer, producer), threading.Event()
    )
    made.offsets.update({FIRST: 0, OTHER: 0})
    answer(made, 0)
    producer.over.clear()
    return made


def answer(delivery: ExactlyOnce, offset: int, partition: int = 0) -> None:
    """A round with one record."""
    record = Record("inputs", partition, offset, 0, None, b"", ())
    delivery.produce([("outputs", b"%d" % offset, None, (), partition)], [record])
    delivery.commit()


def test_a_round_goes_on_while_the_transaction_of_the_last_one_ends(
    delivery: ExactlyOnce, producer: SlowProducer
) -> None:
    answer(delivery, 1)
    delivery.commit()
    assert producer.open
    assert delivery.offsets[FIRST] == 1

    producer.over.set()
    answer(delivery, 2)

    assert producer.sent == [b"0", b"1", b"2"]
    delivery.flush()
    assert delivery.offsets[FIRST] == 3


def test_a_transaction_that_failed_takes_the_next_round_with_it(
    delivery: ExactlyOnce, producer: SlowProducer
) -> None:
    answer(delivery, 1)
    producer.error = "the coordinator is away"
    producer.over.set()

    with pytest.raises(NotCommitted, match="the coordinator is away"):
        answer(delivery, 2)

    assert producer.sent == [b"0", b"1"]
    assert delivery.rewind()[FIRST] == 5
    producer.error = ""
    answer(delivery, 5)
    assert delivery.offsets[FIRST] == 6


def test_a_partition_is_revoked_when_its_transaction_has_ended(
    delivery: ExactlyOnce, producer: SlowProducer
) -> None:
    answer(delivery, 1)
    producer.error = "the group has moved on"
    threading.Timer(0.05, producer.over.set).start()

    delivery.revoke([FIRST], lost=False)

    assert not producer.open
    assert FIRST not in delivery.offsets
    with pytest.raises(NotCommitted, match="the group has moved on"):
        delivery.commit()


def test_a_partition_that_was_lost_stays_lost(
    delivery: ExactlyOnce, producer: SlowProducer
) -> None:
    answer(delivery, 1)

    delivery.revoke([FIRST], lost=True)
    assert producer.open
    producer.over.set()
    delivery.flush()

    assert delivery.offsets == {OTHER: 0}
