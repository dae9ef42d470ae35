"""How results get back to Kafka: each record at least once, or exactly once."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

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

COMMIT_SECONDS: Final = 0.2
QUEUE_FULL_SECONDS: Final = 0.1
# How long a worker that stops, or loses a partition, waits for what it has produced.
FLUSH_SECONDS: Final = 5.0
# After a longer round, and after a failure, wait for the transaction to end: that costs little.
LONG_ROUND_SECONDS: Final = 1.0


class RecordDelivery(Protocol):
    """Produces results and commits the offsets of their records. For one thread, in rounds:
    ``produce`` ..., ``commit``.
    """

    offsets: dict[Partition, int]
    """Where to read each partition from after a rewind: everything before is delivered. The
    reader puts in where it began.
    """

    @property
    def pending_seconds(self) -> float:
        """How long the oldest results in flight have waited for their acknowledgement."""

    def produce(self, results: Sequence[Outgoing], records: Sequence[Record]) -> None:
        """Produce the results of these records. NotCommitted as with ``commit``."""

    def commit(self) -> None:
        """End the round. NotCommitted: part of it, or of an earlier round, is not delivered, and
        ``rewind`` says where to begin again.
        """

    def rewind(self) -> dict[Partition, int]:
        """Drop what is in flight; returns the offset to read each partition from again.
        KafkaUnavailable when the broker cannot say.
        """

    def revoke(self, partitions: Collection[Partition], *, lost: bool) -> None:
        """Hand these partitions to another worker; commit what is delivered first, unless they
        are ``lost`` already.
        """

    def flush(self) -> None:
        """Wait for what is in flight and commit it."""


@dataclass(slots=True)
class PendingRound:
    """The results of one round on their way to Kafka, and the offsets to commit after them."""

    report: DeliveryReport = field(default_factory=DeliveryReport)
    offsets: dict[Partition, int] = field(default_factory=dict)
    since: float = 0.0


class AtLeastOnce:
    """Commits a record's offset once the broker has acknowledged its result.

    The next round begins while the results of earlier ones are in flight. After a crash, those
    records are predicted again.
    """

    def __init__(
        self, consumer: GroupConsumer, producer: ReliableProducer, stopping: threading.Event
    ) -> None:
        self.consumer = consumer
        self.producer = producer
        self.stopping = stopping
        self.offsets: dict[Partition, int] = {}
        self._committed: dict[Partition, int] = {}
        self._in_flight: deque[PendingRound] = deque()
        self._round = PendingRound()
        self._commit_due = 0.0

    @property
    def pending_seconds(self) -> float:
        return time.monotonic() - self._in_flight[0].since if self._in_flight else 0.0

    def produce(self, results: Sequence[Outgoing], records: Sequence[Record]) -> None:
        _produce_all(self.producer, results, self._round.report, self.stopping)
        self._round.offsets |= _next_offsets(records)

    def commit(self) -> None:
        self._end_round()
        self.producer.poll()
        self._settle_rounds()
        if self.offsets != self._committed and time.monotonic() >= self._commit_due:
            self._commit_due = time.monotonic() + COMMIT_SECONDS
            self._committed = dict(self.offsets)
            self.consumer.commit_offsets(self._committed)

    def rewind(self) -> dict[Partition, int]:
        self._in_flight.clear()
        self._round = PendingRound()
        self.producer.reset()
        return dict(self.offsets)

    def revoke(self, partitions: Collection[Partition], *, lost: bool) -> None:
        if not lost:
            self._wait_for_rounds()
            offsets = {key: self.offsets[key] for key in partitions if key in self.offsets}
            self.consumer.commit_offsets(offsets, wait=True)
        for partition in partitions:
            self.offsets.pop(partition, None)
            for pending in (self._round, *self._in_flight):
                pending.offsets.pop(partition, None)

    def flush(self) -> None:
        self._wait_for_rounds()
        self.consumer.commit_offsets(self.offsets, wait=True)

    def _end_round(self) -> None:
        if self._round.offsets:
            self._round.since = time.monotonic()
            self._in_flight.append(self._round)
            self._round = PendingRound()

    def _settle_rounds(self) -> None:
        """Take note of the rounds that Kafka has acknowledged, oldest first."""
        while self._in_flight:
            pending = self._in_flight[0]
            if pending.report.error:
                raise NotCommitted(pending.report.error)
            if pending.report.left:
                return
            self._in_flight.popleft()
            self.offsets.update(pending.offsets)

    def _wait_for_rounds(self) -> None:
        """Wait a while for what is in flight. What fails is just not committed."""
        self._end_round()
        deadline = time.monotonic() + FLUSH_SECONDS
        with contextlib.suppress(NotCommitted):
            while self._in_flight and time.monotonic() < deadline:
                self.producer.poll(QUEUE_FULL_SECONDS)
                self._settle_rounds()


class ExactlyOnce:
    """Commits a round's results and offsets in one Kafka transaction: all of it counts, or none.

    Results are kept until the round ends, so that a slow model holds no transaction open. While
    the transaction of one round ends, the model predicts the next.
    """

    def __init__(
        self, consumer: GroupConsumer, producer: ReliableProducer, stopping: threading.Event
    ) -> None:
        self.consumer = consumer
        self.producer = producer
        self.stopping = stopping
        self.offsets: dict[Partition, int] = {}
        self._results: list[Outgoing] = []
        self._next: dict[Partition, int] = {}
        self._committing: dict[Partition, int] = {}
        self._failure: NotCommitted | None = None
        self._round_ended_at = float("-inf")

    @property
    def pending_seconds(self) -> float:
        return 0.0  # a transaction that takes too long fails

    def produce(self, results: Sequence[Outgoing], records: Sequence[Record]) -> None:
        self._results += results
        self._next |= _next_offsets(records)

    def commit(self) -> None:
        self._settle_transaction(wait=bool(self._next))
        if not self._next:
            return
        self.producer.begin()
        _produce_all(self.producer, self._results, None, self.stopping)
        self.producer.begin_commit(self._next, self.consumer)
        self._committing, self._next, self._results = self._next, {}, []
        # A model that keeps Python's lock for long delays the end of the transaction until Kafka
        # aborts it. WaitingFrame here keeps that from happening twice in a row.
        self._settle_transaction(wait=time.monotonic() - self._round_ended_at > LONG_ROUND_SECONDS)
        self._round_ended_at = time.monotonic()

    def _settle_transaction(self, *, wait: bool) -> None:
        """Take note of how the transaction ended, if it has; NotCommitted until a rewind if it
        failed.
        """
        if self._failure is not None:
            raise self._failure
        if not self._committing:
            return
        try:
            ended = self.producer.finish_commit(wait=wait)
        except NotCommitted as err:
            self._failure = err
            raise
        if ended:
            # Partitions revoked meanwhile belong to another worker.
            kept = {key: end for key, end in self._committing.items() if key in self.offsets}
            self.offsets.update(kept)
            self._committing = {}

    def rewind(self) -> dict[Partition, int]:
        self._results, self._next, self._committing = [], {}, {}
        self._failure, self._round_ended_at = None, float("-inf")
        self.producer.abort()
        self.producer.connect()
        # The broker may have committed although its reply was lost: only the broker knows where
        # the group is.
        for topic, partition in self.offsets:
            committed = self.consumer.offsets.committed(Topic(topic), partition)
            if committed is not None:
                self.offsets[topic, partition] = committed
        return dict(self.offsets)

    def revoke(self, partitions: Collection[Partition], *, lost: bool) -> None:
        if not lost:
            # A failure is raised again when the round ends.
            with contextlib.suppress(NotCommitted):
                self._settle_transaction(wait=True)
        for partition in partitions:
            self.offsets.pop(partition, None)

    def flush(self) -> None:
        self._settle_transaction(wait=True)


def _produce_all(
    producer: ReliableProducer,
    results: Sequence[Outgoing],
    report: DeliveryReport | None,
    stopping: threading.Event,
) -> None:
    """Queue the results as fast as the queue empties; NotCommitted when the worker stops while
    Kafka takes nothing.
    """
    while (sent := producer.send_batch(results, report)) < len(results):
        results = results[sent:]
        producer.poll(QUEUE_FULL_SECONDS)
        if stopping.is_set():
            raise NotCommitted("Kafka takes no more, and the worker is to end.")


def _next_offsets(records: Iterable[Record]) -> dict[Partition, int]:
    """Where each partition goes on after these records."""
    return {(record.topic, record.partition): record.offset + 1 for record in records}
