"""What goes on while a transaction ends: of the outbox only that its transactions take time and
may fail.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import cast

import pytest

from inference.streams.delivery import ExactlyOnce
from sightline.kafka import (
    Consumer,
    DeliveryReport,
    NotCommitted,
    Outgoing,
    Partition,
    Record,
    ReliableProducer,
)
from sightline.kafka.topics import Topic

PLACE: Partition = ("inputs", 0)
OTHER: Partition = ("inputs", 1)


class SlowOutbox:
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

    def send_some(self, records: Sequence[Outgoing], _receipt: DeliveryReport | None) -> int:
        self.sent += [value for _, value, *_ in records]
        return len(records)

    def begin_commit(self, _offsets: Mapping[Partition, int], _consumer: Consumer) -> None: ...

    def committed(self, *, wait: bool) -> bool:
        if not (self.over.wait(10) if wait else self.over.is_set()):
            return False
        self.open = False
        if self.error:
            raise NotCommitted(self.error)
        return True

    def abort(self) -> None:
        self.open = False


class Group:
    """Has stored the offset 5 of each partition."""

    def committed(self, _topic: Topic, _partition: int) -> int:
        return 5


@pytest.fixture
def outbox() -> SlowOutbox:
    return SlowOutbox()


@pytest.fixture
def delivery(outbox: SlowOutbox) -> ExactlyOnce:
    """After a first round: the next do not wait for their transactions."""
    made = ExactlyOnce(cast(Consumer, Group()), cast(ReliableProducer, outbox), threading.Event())
    made.answered.update({PLACE: 0, OTHER: 0})
    answer(made, 0)
    outbox.over.clear()
    return made


def answer(delivery: ExactlyOnce, offset: int, partition: int = 0) -> None:
    """A round with one record."""
    record = Record("inputs", partition, offset, 0, None, b"", ())
    delivery.put([("outputs", b"%d" % offset, None, (), partition)], [record])
    delivery.settle()


def test_a_round_goes_on_while_the_transaction_of_the_last_one_ends(
    delivery: ExactlyOnce, outbox: SlowOutbox
) -> None:
    answer(delivery, 1)
    delivery.settle()
    assert outbox.open
    assert delivery.answered[PLACE] == 1

    outbox.over.set()
    answer(delivery, 2)

    assert outbox.sent == [b"0", b"1", b"2"]
    delivery.finish()
    assert delivery.answered[PLACE] == 3


def test_a_transaction_that_failed_takes_the_next_round_with_it(
    delivery: ExactlyOnce, outbox: SlowOutbox
) -> None:
    answer(delivery, 1)
    outbox.error = "the coordinator is away"
    outbox.over.set()

    with pytest.raises(NotCommitted, match="the coordinator is away"):
        answer(delivery, 2)

    assert outbox.sent == [b"0", b"1"]
    assert delivery.rewind()[PLACE] == 5
    outbox.error = ""
    answer(delivery, 5)
    assert delivery.answered[PLACE] == 6


def test_a_partition_is_given_up_when_its_transaction_has_ended(
    delivery: ExactlyOnce, outbox: SlowOutbox
) -> None:
    answer(delivery, 1)
    outbox.error = "the group has moved on"
    threading.Timer(0.05, outbox.over.set).start()

    delivery.give_up([PLACE], lost=False)

    assert not outbox.open
    assert PLACE not in delivery.answered
    with pytest.raises(NotCommitted, match="the group has moved on"):
        delivery.settle()


def test_a_partition_that_was_lost_stays_lost(delivery: ExactlyOnce, outbox: SlowOutbox) -> None:
    answer(delivery, 1)

    delivery.give_up([PLACE], lost=True)
    assert outbox.open
    outbox.over.set()
    delivery.finish()

    assert delivery.answered == {OTHER: 0}
