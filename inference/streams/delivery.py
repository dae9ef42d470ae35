"""How answers get back to Kafka: what is promised about each record once, and once only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Protocol

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

COMMIT_SECONDS: Final = 0.2
QUEUE_FULL_SECONDS: Final = 0.1
# A worker that is asked to end, or to give up a partition, waits so long for what it has sent.
FLUSH_SECONDS: Final = 5.0
# When the last round is longer ago than this, and after a failure, the end of a transaction is
# waited for: it would not hold up much.
LONG_ROUND_SECONDS: Final = 1.0


class Delivery(Protocol):
    """Brings answers to Kafka and says where the group goes on. Used by one thread, in rounds:
    ``put`` ..., ``settle``.
    """

    answered: dict[Partition, int]
    """Where each partition is to be read from when what is under way is given up: the first
    record read may be put in from outside.
    """

    @property
    def waits(self) -> float:
        """For how many seconds what was sent first, of all that is under way, has not been
        acknowledged.
        """

    def put(self, answers: Sequence[Outgoing], records: Sequence[Record]) -> None:
        """The answers to these records. NotCommitted as with ``settle``."""

    def settle(self) -> None:
        """The round is over. NotCommitted: some of it, or of the rounds before, did not get
        through, and ``rewind`` says where to begin again.
        """

    def rewind(self) -> dict[Partition, int]:
        """Give up what is under way; where each partition is to be read from again.
        KafkaUnavailable when that cannot be known now.
        """

    def give_up(self, partitions: Collection[Partition], *, lost: bool) -> None:
        """These partitions are another worker's; if they are not ``lost`` already, what was
        answered is stored first.
        """

    def finish(self) -> None:
        """The end: wait for what was sent, and store what was answered."""


def send_all(
    outbox: ReliableProducer,
    answers: Sequence[Outgoing],
    receipt: DeliveryReport | None,
    stopping: threading.Event,
) -> None:
    """Queue the answers, as there is room. NotCommitted when the worker is to end while Kafka
    takes nothing.
    """
    while (sent := outbox.send_some(answers, receipt)) < len(answers):
        answers = answers[sent:]
        outbox.poll(QUEUE_FULL_SECONDS)
        if stopping.is_set():
            raise NotCommitted("Kafka takes no more, and the worker is to end.")


class Every:
    """Each record at least once: its offset is stored when the broker has acknowledged its answer.

    The next round begins while the answers of the last ones are under way. After a crash, what
    was under way is answered again.
    """

    def __init__(
        self, consumer: Consumer, outbox: ReliableProducer, stopping: threading.Event
    ) -> None:
        self.consumer = consumer
        self.outbox = outbox
        self.stopping = stopping
        self.answered: dict[Partition, int] = {}
        self._stored: dict[Partition, int] = {}
        self._rounds: deque[tuple[DeliveryReport, dict[Partition, int], float]] = deque()
        self._receipt = DeliveryReport()
        self._done: dict[Partition, int] = {}
        self._commit_due = 0.0

    @property
    def waits(self) -> float:
        return time.monotonic() - self._rounds[0][2] if self._rounds else 0.0

    def put(self, answers: Sequence[Outgoing], records: Sequence[Record]) -> None:
        send_all(self.outbox, answers, self._receipt, self.stopping)
        self._done |= _places_after(records)

    def settle(self) -> None:
        self._end_round()
        self.outbox.poll()
        self._learn()
        if self.answered != self._stored and time.monotonic() >= self._commit_due:
            self._commit_due = time.monotonic() + COMMIT_SECONDS
            self._stored = dict(self.answered)
            self.consumer.commit_offsets(self._stored)

    def rewind(self) -> dict[Partition, int]:
        self._rounds.clear()
        self._receipt, self._done = DeliveryReport(), {}
        self.outbox.reset()
        return dict(self.answered)

    def give_up(self, partitions: Collection[Partition], *, lost: bool) -> None:
        if not lost:
            self._flush()
            self.consumer.commit_offsets(
                {
                    partition: self.answered[partition]
                    for partition in partitions
                    if partition in self.answered
                },
                wait=True,
            )
        for partition in partitions:
            for done in (self.answered, self._done, *(done for _, done, _ in self._rounds)):
                done.pop(partition, None)

    def finish(self) -> None:
        self._flush()
        self.consumer.commit_offsets(self.answered, wait=True)

    def _end_round(self) -> None:
        if self._done:
            self._rounds.append((self._receipt, self._done, time.monotonic()))
            self._receipt, self._done = DeliveryReport(), {}

    def _learn(self) -> None:
        while self._rounds and (self._rounds[0][0].left == 0 or self._rounds[0][0].error):
            receipt, done, _ = self._rounds[0]
            if receipt.error:
                raise NotCommitted(receipt.error)
            self._rounds.popleft()
            self.answered.update(done)

    def _flush(self) -> None:
        """Wait a while for the answers under way; a failure among them just is not stored."""
        self._end_round()
        deadline = time.monotonic() + FLUSH_SECONDS
        try:
            while self._rounds and time.monotonic() < deadline:
                self.outbox.poll(QUEUE_FULL_SECONDS)
                self._learn()
        except NotCommitted:
            return


class ExactlyOnce:
    """Each record once, by Kafka's transactions: a round's answers and its offsets count together,
    or not at all.

    Answers are kept until the end of the round, so that a slow model holds no transaction open.
    While the transaction of one round ends, the model is asked about the next.
    """

    def __init__(
        self, consumer: Consumer, outbox: ReliableProducer, stopping: threading.Event
    ) -> None:
        self.consumer = consumer
        self.outbox = outbox
        self.stopping = stopping
        self.answered: dict[Partition, int] = {}
        self._round: list[Outgoing] = []
        self._done: dict[Partition, int] = {}
        self._ending: dict[Partition, int] = {}
        self._failed: NotCommitted | None = None
        self._settled_at = float("-inf")

    @property
    def waits(self) -> float:
        return 0.0  # a transaction that lasts too long fails

    def put(self, answers: Sequence[Outgoing], records: Sequence[Record]) -> None:
        self._round += answers
        self._done |= _places_after(records)

    def settle(self) -> None:
        self._learn(wait=bool(self._done))
        if not self._done:
            return
        self.outbox.begin()
        send_all(self.outbox, self._round, None, self.stopping)
        self.outbox.begin_commit(self._done, self.consumer)
        self._ending, self._done, self._round = self._done, {}, []
        # A model that keeps Python's lock for long holds up the end of a transaction, until Kafka
        # gives it up: not twice in a row.
        self._learn(wait=time.monotonic() - self._settled_at > LONG_ROUND_SECONDS)
        self._settled_at = time.monotonic()

    def _learn(self, *, wait: bool) -> None:
        """What has become of the transaction that is about to end."""
        if self._failed is not None:
            raise self._failed
        if not self._ending:
            return
        try:
            over = self.outbox.committed(wait=wait)
        except NotCommitted as err:
            self._failed = err
            raise
        if over:
            # Those given up meanwhile are another worker's.
            self.answered.update(
                {
                    partition: offset
                    for partition, offset in self._ending.items()
                    if partition in self.answered
                }
            )
            self._ending = {}

    def rewind(self) -> dict[Partition, int]:
        self._round, self._done, self._ending = [], {}, {}
        self._failed, self._settled_at = None, float("-inf")
        self.outbox.abort()
        self.outbox.connect()
        # The answer to a commit may be lost although the broker has it: only the broker knows where
        # the group is.
        for topic, partition in self.answered:
            committed = self.consumer.committed(Topic(topic), partition)
            if committed is not None:
                self.answered[topic, partition] = committed
        return dict(self.answered)

    def give_up(self, partitions: Collection[Partition], *, lost: bool) -> None:
        if not lost:
            # What it raises is raised again when the round is over.
            with contextlib.suppress(NotCommitted):
                self._learn(wait=True)
        for partition in partitions:
            self.answered.pop(partition, None)

    def finish(self) -> None:
        self._learn(wait=True)


def _places_after(records: Iterable[Record]) -> dict[Partition, int]:
    """Where each partition goes on after these records."""
    return {(record.topic, record.partition): record.offset + 1 for record in records}
