"""Sending for streams that must not lose anything: delivery reports and transactions."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException
from django.conf import settings

from sightline.kafka.connection import (
    ConnectionHealth,
    Headers,
    KafkaUnavailable,
    Partition,
    connect,
    connection,
    next_offsets,
)
from sightline.kafka.group_consumer import GroupConsumer
from sightline.kafka.topics import HEADER_ROOM

log = logging.getLogger(__name__)
TRANSACTION_SECONDS = 10
Outgoing = tuple[str, bytes | None, bytes | None, Headers, int]
"""A record to be sent: topic, value, key, headers, partition."""


class NotCommitted(Exception):
    """A transaction failed: neither its records nor its offsets count, and all of it can be done
    again.
    """


class DeliveryReport:
    """Whether the broker has all of some records: ``left`` are still on their way, ``error`` is the
    first reason why one will not arrive.

    Pass it to ``ReliableProducer.send`` with each of them. A transaction needs none: it is
    committed only if all have arrived.
    """

    __slots__ = ("error", "left")

    def __init__(self) -> None:
        self.left = 0
        self.error = ""

    def __call__(self, error: KafkaError | None, _message: Any) -> None:
        self.left -= 1
        if error is not None:
            self.error = self.error or error.str()


class TransactionStep:
    """The commit or abort of a transaction, in a thread of its own, so that the caller can work
    meanwhile and need not wait for ever.

    librdkafka ignores the time limit for sending offsets to a transaction, and waits for ever if
    the group's coordinator goes away just then (its issues 5456 and 5511).
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._result: Future[None] = Future()
        self._deadline = time.monotonic() + TRANSACTION_SECONDS + 2
        threading.Thread(target=self._run, name="transaction", daemon=True).start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as err:  # noqa: BLE001 - raised again by the thread that waits
            self._result.set_exception(err)
        else:
            self._result.set_result(None)

    @property
    def is_over(self) -> bool:
        """Whether ``wait`` would not wait."""
        return self._result.done() or time.monotonic() > self._deadline

    def wait(self) -> None:
        """Raises what the call has raised, or TimeoutError when it does not return in time."""
        self._result.result(max(0.0, self._deadline - time.monotonic()))


class ReliableProducer:
    """Sends records that must arrive: acknowledged by all replicas, in order, retried for as long
    as it takes. For one thread.

    With a ``transactional_id`` all records between ``begin`` and ``commit`` arrive together with
    the offsets of the inputs that they were made from, or not at all (Kafka's transactions). A
    newer ReliableProducer of the same id ends the transactions of an older one.
    """

    def __init__(self, transactional_id: str = "") -> None:
        self.transactional_id = transactional_id
        self.health = ConnectionHealth()
        self._client: confluent_kafka.Producer | None = None
        self._committing: TransactionStep | None = None

    @property
    def client(self) -> confluent_kafka.Producer:
        """The connection, made on first use; KafkaUnavailable if transactions cannot begin."""
        if self._client is None:
            client = connect(confluent_kafka.Producer, self._configuration())
            if self.transactional_id:
                _begin_transactions(client)
            self._client = client
        return self._client

    def _configuration(self) -> dict[str, Any]:
        own = (
            {
                "transactional.id": self.transactional_id,
                "transaction.timeout.ms": TRANSACTION_SECONDS * 1000,
                # A step that comes before Kafka is done with the previous one is retried: soon,
                # and not after 100 ms, then less and less often.
                "retry.backoff.ms": 10,
            }
            if self.transactional_id
            else {}
        )
        return {
            **connection(self.health),
            "enable.idempotence": True,
            "linger.ms": 5,
            # A transaction fails when its time is over; without one there is no reason to ever
            # give up.
            "message.timeout.ms": TRANSACTION_SECONDS * 1000 if own else 0,
            "queue.buffering.max.kbytes": 32 * 1024,
            "message.max.bytes": settings.KAFKA_MAX_MESSAGE_BYTES + HEADER_ROOM,
            **own,
        }

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers,
        partition: int,
        report: DeliveryReport,
    ) -> bool:
        """Queue a record. False if the queue is full: ``poll``, then try again. NotCommitted if it
        cannot be sent.
        """
        return self.send_batch([(topic, value, key, headers, partition)], report) == 1

    def send_batch(self, records: Iterable[Outgoing], report: DeliveryReport | None = None) -> int:
        """Queue records in their order; returns how many, which is fewer if the queue is full.
        NotCommitted if one cannot be sent.
        """
        produce, sent = self.client.produce, 0
        try:
            for topic, value, key, headers, partition in records:
                pairs: list[tuple[str, str | bytes | None]] = [*headers]
                produce(topic, value, key, partition, report, headers=pairs)
                sent += 1
        except BufferError:
            pass  # the caller polls, then sends the rest
        except KafkaException as err:
            raise NotCommitted(err.args[0].str()) from err
        if report is not None:
            report.left += sent
        return sent

    def poll(self, timeout: float = 0.0) -> None:
        """Serve delivery reports, waiting for one up to ``timeout`` seconds."""
        if self._client is not None:
            self._client.poll(timeout)

    def connect(self) -> None:
        """Connect, if that was not done yet: after that, an earlier transaction of the same id has
        been committed or aborted.
        """
        _ = self.client

    def begin(self) -> None:
        """Begin a transaction; NotCommitted if the broker refuses, KafkaUnavailable if it is
        away.
        """
        try:
            self.client.begin_transaction()
        except KafkaException as err:
            self.abort()
            raise NotCommitted(err.args[0].str()) from err

    def commit(self, offsets: Mapping[Partition, int], consumer: GroupConsumer) -> None:
        """Commit the transaction: its records count, and ``offsets`` are where the consumer's group
        goes on. NotCommitted: nothing of it counts.
        """
        self.begin_commit(offsets, consumer)
        self.finish_commit(wait=True)

    def begin_commit(self, offsets: Mapping[Partition, int], consumer: GroupConsumer) -> None:
        """As ``commit``, without waiting. Until ``finish_commit`` returns True, the producer can do
        nothing else.
        """
        client, positions = self.client, next_offsets(offsets)
        metadata = consumer.client.consumer_group_metadata()

        def commit() -> None:
            _retried(client.send_offsets_to_transaction, positions, metadata)
            _retried(client.commit_transaction)

        self._committing = TransactionStep(commit)

    def finish_commit(self, *, wait: bool) -> bool:
        """Whether no commit is under way (any more); NotCommitted, once, if it failed."""
        step = self._committing
        if step is None or not (wait or step.is_over):
            return step is None
        self._committing = None
        try:
            self._wait_for(step, "kept")
        except KafkaException as err:
            self.abort()
            raise NotCommitted(err.args[0].str()) from err
        return True

    def abort(self) -> None:
        """Abort the transaction; if that fails, drop the connection, and the next one aborts it."""
        with contextlib.suppress(NotCommitted):
            self.finish_commit(wait=True)
        if (client := self._client) is None:
            return
        try:
            self._wait_for(TransactionStep(lambda: _retried(client.abort_transaction)), "aborted")
        except NotCommitted:
            return
        except KafkaException as err:
            log.info(
                "kafka transaction not aborted, reconnecting id=%s reason=%s",
                self.transactional_id,
                err.args[0].str(),
            )
            self.reset()

    def _wait_for(self, step: TransactionStep, done: str) -> None:
        try:
            step.wait()
        except TimeoutError as err:
            # Not even closed, which might not return either. The next connection of the same id
            # ends what this one holds.
            self._client = None
            raise NotCommitted(
                f"the transaction could not be {done}: Kafka's client does not return"
            ) from err

    def reset(self) -> None:
        """Drop what is queued, and the connection; the next use makes a new one."""
        if self._client is not None:
            self._client.purge()
            self._client.poll(0)
            self._client = None

    @property
    def queued(self) -> int:
        """How many records are under way, as far as their delivery reports were served. For any
        thread.
        """
        client = self._client
        return 0 if client is None else len(client)

    def flush(self, timeout: float) -> int:
        """Wait until all is acknowledged or has failed, ``timeout`` seconds at most; returns how
        many are still under way.
        """
        return 0 if self._client is None else int(self._client.flush(timeout))

    def close(self, timeout: float) -> None:
        """Flush, and drop what is still under way after that."""
        self.flush(timeout)
        self.reset()


def _begin_transactions(client: confluent_kafka.Producer) -> None:
    try:
        _retried(client.init_transactions)
    except KafkaException as err:
        raise KafkaUnavailable(f"Kafka begins no transactions: {err.args[0].str()}") from err


def _retried(call: Callable[..., object], *arguments: object) -> None:
    """Call a step of a transaction, again while Kafka says that it may be retried; KafkaException
    after that.
    """
    deadline = time.monotonic() + TRANSACTION_SECONDS
    while True:
        try:
            call(*arguments, TRANSACTION_SECONDS / 2)
        except KafkaException as err:
            if not err.args[0].retriable() or time.monotonic() > deadline:
                raise
        else:
            return
