"""Sending what is retried, one record at a time: each is in Kafka before the next begins."""

from __future__ import annotations

from typing import Final

from sightline.kafka import Admin, Headers, Producer
from sightline.kafka.reader import ASK_SECONDS
from sightline.kafka.topics import Topic

DELIVERY_SECONDS: Final = 10.0


class RetryError(Exception):
    """A letter could not be retried, in one plain sentence. ``halts``: others would fail in the
    same way now.
    """

    def __init__(self, message: str, *, halts: bool = False) -> None:
        super().__init__(message)
        self.halts = halts


class RetrySender:
    """Sends records and waits until Kafka has them. KafkaUnavailable when it does not answer."""

    def __init__(self) -> None:
        self.producer = Producer(acks="all")
        self.admin = Admin()

    def send(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: str | bytes | None,
        headers: Headers = (),
        partition: int = 0,
    ) -> None:
        """Send a record to ``partition``, or to 0 where there is no such partition. RetryError
        when Kafka does not take it.
        """
        self.admin.ensure([topic])
        if partition and not 0 < partition < self.admin.partitions(ASK_SECONDS).get(topic.name, 1):
            partition = 0
        reports: list[str] = []
        queued = self.producer.send(
            topic, value, key=key, headers=headers, partition=partition, on_delivery=reports.append
        )
        if queued:
            self.producer.flush(DELIVERY_SECONDS)
        if reports == [""]:
            return
        self.admin.partitions(ASK_SECONDS)  # raises KafkaUnavailable if that is the reason
        reason = self.producer.last_error if reports or not queued else "no answer"
        raise RetryError(f"Kafka does not take it into {topic.name}: {reason}.")

    def close(self) -> None:
        self.producer.flush(1)
