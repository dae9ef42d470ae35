"""Sending for streams that must not lose anything: receipts for what the broker has acknowledged, and transactions."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException
from django.conf import settings

from sightline.kafka.connection import Health, KafkaUnavailable, Partition, connection, made, next_offsets
from sightline.kafka.consumer import Consumer
from sightline.topics import HEADER_ROOM

log = logging.getLogger(__name__)
TRANSACTION_SECONDS = 10


class NotCommitted(Exception):
    """A transaction came to nothing: neither its records nor its offsets count, and all of it can be done again."""


class Receipt:
    """Whether the broker has all of some records: ``left`` are still on their way, ``error`` is the first reason why one will not arrive.

    To be given to ``Outbox.send`` with each of them.
    """

    __slots__ = ("error", "left")

    def __init__(self) -> None:
        self.left = 0
        self.error = ""

    def __call__(self, error: KafkaError | None, _message: Any) -> None:
        self.left -= 1
        if error is not None:
            self.error = self.error or error.str()


class Outbox:
    """Sends records that must arrive: acknowledged by all replicas, in order, tried for as long as it takes. For one thread.

    With a ``transactional_id`` all records between ``begin`` and ``commit`` arrive together with the offsets of what they were made of, or
    not at all (Kafka's transactions). A newer Outbox of the same id ends the transactions of an older one.
    """

    def __init__(self, transactional_id: str = "") -> None:
        self.transactional_id = transactional_id
        self.health = Health()
        self._client: confluent_kafka.Producer | None = None

    @property
    def client(self) -> confluent_kafka.Producer:
        """The connection, made on first use; KafkaUnavailable when transactions cannot begin."""
        if self._client is None:
            client = made(confluent_kafka.Producer, self._configuration())
            if self.transactional_id:
                _begin_transactions(client)
            self._client = client
        return self._client

    def _configuration(self) -> dict[str, Any]:
        own = {"transactional.id": self.transactional_id, "transaction.timeout.ms": TRANSACTION_SECONDS * 1000} if self.transactional_id else {}
        return {
            **connection(self.health),
            "enable.idempotence": True,
            "linger.ms": 5,
            # A transaction gives up when its time is over; without one there is no reason to ever give up.
            "message.timeout.ms": TRANSACTION_SECONDS * 1000 if own else 0,
            "queue.buffering.max.kbytes": 32 * 1024,
            "message.max.bytes": settings.KAFKA_MAX_MESSAGE_BYTES + HEADER_ROOM,
            **own,
        }

    def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes]], partition: int, receipt: Receipt
    ) -> bool:
        """Queue a record. False when the queue is full: ``poll``, then try again. NotCommitted when it cannot be sent."""
        pairs: list[tuple[str, str | bytes | None]] = [*headers]
        try:
            self.client.produce(topic, value, key, partition, on_delivery=receipt, headers=pairs)
        except BufferError:
            return False
        except KafkaException as err:
            raise NotCommitted(err.args[0].str()) from err
        receipt.left += 1
        return True

    def poll(self, timeout: float = 0.0) -> None:
        """Learn what has arrived, waiting for news up to ``timeout`` seconds."""
        if self._client is not None:
            self._client.poll(timeout)

    def connect(self) -> None:
        """Make the connection, if there is none: after that, an earlier transaction of the same id has been kept or aborted."""
        _ = self.client

    def begin(self) -> None:
        """Begin a transaction; NotCommitted when the broker does not let us, KafkaUnavailable when it is away."""
        try:
            self.client.begin_transaction()
        except KafkaException as err:
            self.abort()
            raise NotCommitted(err.args[0].str()) from err

    def commit(self, offsets: Mapping[Partition, int], consumer: Consumer) -> None:
        """End the transaction: its records count, and ``offsets`` are where the consumer's group goes on. NotCommitted: nothing of it counts."""
        client, metadata = self.client, consumer.client.consumer_group_metadata()

        def end() -> None:
            _retried(client.send_offsets_to_transaction, next_offsets(offsets), metadata)
            _retried(client.commit_transaction)

        self._end(end, "kept")

    def abort(self) -> None:
        """End the transaction as if it had never been; when that fails, a new connection does it."""
        if (client := self._client) is not None:
            with contextlib.suppress(NotCommitted):
                self._end(lambda: _retried(client.abort_transaction), "aborted")

    def _end(self, call: Callable[[], None], how: str) -> None:
        try:
            _within(TRANSACTION_SECONDS + 2, call)
        except TimeoutError as err:
            # Not even closed, which might not return either. What it holds is ended by the next connection of its id.
            self._client = None
            raise NotCommitted(f"the transaction could not be {how}: Kafka's client does not return") from err
        except KafkaException as err:
            if how == "kept":
                self.abort()
            else:
                log.info("kafka transactions begin anew id=%s reason=%s", self.transactional_id, err.args[0].str())
                self.reset()
            raise NotCommitted(err.args[0].str()) from err

    def reset(self) -> None:
        """Give up what is queued, and the connection; the next use makes a new one."""
        if self._client is not None:
            self._client.purge()
            self._client.poll(0)
            self._client = None

    def flush(self, timeout: float) -> int:
        """Wait until all is acknowledged or has failed, ``timeout`` seconds at most; the number still under way."""
        return 0 if self._client is None else int(self._client.flush(timeout))

    def close(self, timeout: float) -> None:
        """Flush, and give up what is still under way after that."""
        self.flush(timeout)
        self.reset()


def _begin_transactions(client: confluent_kafka.Producer) -> None:
    try:
        _retried(client.init_transactions)
    except KafkaException as err:
        raise KafkaUnavailable(f"Kafka begins no transactions: {err.args[0].str()}") from err


def _within(seconds: float, call: Callable[[], None]) -> None:
    """Make a call in a thread of its own; TimeoutError when it does not return in time.

    librdkafka ignores the time limit for sending offsets to a transaction, and waits for ever when the group's coordinator goes away just then
    (its issues 5456 and 5511).
    """
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as err:  # noqa: BLE001 - raised again by the thread that waits
            raised.append(err)

    thread = threading.Thread(target=run, name="transaction", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError
    for err in raised:
        raise err


def _retried(call: Callable[..., object], *arguments: object) -> None:
    """A step of a transaction, again while Kafka says that it may be tried again; KafkaException after that."""
    deadline = time.monotonic() + TRANSACTION_SECONDS
    while True:
        try:
            call(*arguments, TRANSACTION_SECONDS / 2)
        except KafkaException as err:
            if not err.args[0].retriable() or time.monotonic() > deadline:
                raise
        else:
            return
