"""What all consumers share: a client that is replaced when it is lost, polling, and health."""

from __future__ import annotations

import logging
import operator
from abc import ABC, abstractmethod
from typing import Any, Final

import confluent_kafka
from confluent_kafka import KafkaError
from django.conf import settings

from sightline.kafka.connection import (
    UNREADABLE_HEADERS,
    ConnectionHealth,
    Partition,
    Record,
    connect,
    connection,
)
from sightline.kafka.offsets import Offsets
from sightline.kafka.recovery import Recovery

log = logging.getLogger(__name__)

# The embedded broker forgets a pending request to join if it stood still for a session: after
# this time plus 3 s, the client asks again. Its leader epochs are always 0, so the statistics
# reveal nothing.
EMBEDDED: Final = {"max.poll.interval.ms": 10_000}


class Consumer(ABC):
    """Reads records; a `GroupConsumer` or a `PartitionReader`. For one thread.

    ``ended``: partitions that were read to their end, if made with ``enable.partition.eof``. A
    consumer that is kept must be polled, or closed.
    """

    def __init__(self, group: str, **overrides: Any) -> None:
        self.group = group
        self.overrides = overrides
        self.health = ConnectionHealth()
        self.ended: set[Partition] = set()
        self._recovery = Recovery()
        self._client: confluent_kafka.Consumer | None = None

    @property
    def client(self) -> confluent_kafka.Consumer:
        """The connection, made on first use."""
        if self._client is None:
            self._client = connect(confluent_kafka.Consumer, self._configuration())
        return self._client

    def _configuration(self) -> dict[str, Any]:
        return {
            **connection(self.health),
            "group.id": self.group or f"{settings.TOPIC_PREFIX}.viewer",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1500,
            "queued.max.messages.kbytes": 16 * 1024,
            "fetch.message.max.bytes": settings.KAFKA_MAX_MESSAGE_BYTES,
            # The embedded broker always waits this long if one partition is empty; a real one
            # answers with the first record.
            "fetch.wait.max.ms": 5 if settings.KAFKA_EMBEDDED else 100,
            "allow.auto.create.topics": settings.KAFKA_EMBEDDED,
            **(EMBEDDED if settings.KAFKA_EMBEDDED else self._recovery.stalls.configuration),
            **self.overrides,
        }

    @property
    def offsets(self) -> Offsets:
        """Questions about offsets, asked through this client."""
        return Offsets(self.client)

    def poll(self, timeout: float) -> Record | None:
        """The next record, or None after ``timeout`` seconds. Errors of the connection are noted
        in ``health`` and waited out.
        """
        if self._recovery.is_due():
            self._recover()
        message = self.client.poll(timeout)
        return None if message is None else self._accept(message)

    def read(self, max_records: int, timeout: float) -> list[Record]:
        """Up to ``max_records`` records: those that are here already, or else the first to come
        within ``timeout`` seconds.
        """
        if self._recovery.is_due():
            self._recover()
        first = self.client.poll(timeout)
        if first is None:
            return []
        # consume() waits until it has all that it was asked for, so it is not given any time.
        messages = [first, *self.client.consume(max_records - 1, 0)] if max_records > 1 else [first]
        records = [_record(message) for message in messages if message.error() is None]
        if len(records) == len(messages) and self.health.reachable and not self.ended:
            return records
        return [record for message in messages if (record := self._accept(message)) is not None]

    def _accept(self, message: Any) -> Record | None:
        """The message as a record; None if it is an error or the end of a partition."""
        if (error := message.error()) is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self.ended.add((message.topic(), message.partition()))
            else:
                self.health.on_error(error)
            return None
        if not self.health.reachable:
            self.health.on_success()
        record = _record(message)
        if self.ended:
            self.ended.discard((record.topic, record.partition))
        return record

    def check(self, timeout: float = 1.0) -> bool:
        """Whether the broker answers within ``timeout`` seconds; noted in ``health``."""
        error = self.health.check(self.client, timeout)
        self.health.reachable, self.health.detail = not error, error
        return not error

    def close(self) -> None:
        """Read nothing any more."""
        self._recovery.forget()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _recover(self) -> None:
        """Go on with a new client where the old one stopped."""
        log.warning("kafka partitions were lost, reading with a new client group=%s", self.group)
        self._release()
        self._recovery.on_new_client()
        self._resume()

    @abstractmethod
    def _release(self) -> None:
        """Remember what was read, and drop the client."""

    @abstractmethod
    def _resume(self) -> None:
        """Read the same with a new client."""


# Not ``message.headers()``: for a header whose name is not UTF-8 the library returns an unfinished
# list and leaves an exception behind, which a call that CPython has specialized does not look for.
_headers = operator.methodcaller("headers")


def _record(message: Any) -> Record:
    try:
        headers = tuple(_headers(message) or ())
    except (SystemError, UnicodeDecodeError):
        # The headers are lost. Whoever reads the record learns of that, and the ones after it
        # arrive.
        headers = ((UNREADABLE_HEADERS, b""),)
    # In half the time of a call with seven arguments.
    return Record._make(
        (
            message.topic(),
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            headers,
        )
    )
