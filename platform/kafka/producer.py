"""Sending without waiting, for video: the newest record is worth more than one that did not fit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException
from django.conf import settings

from sightline.kafka.connection import (
    NO_SUCH_TOPIC,
    ConnectionHealth,
    Headers,
    KafkaUnavailable,
    connect,
    connection,
)
from sightline.kafka.topics import Topic

CLOSE_SECONDS = 6.0


class Producer:
    """Sends without waiting. Thread-safe. ``sent``, ``delivered``, ``failed`` and ``dropped`` count
    records.

    ``bytes_delivered`` and ``bytes_queued`` count their values; the queue takes ``queue_limit``
    bytes. ``delivered_at``: when Kafka last took a record of a topic, by ``time.monotonic``.
    """

    queue_limit = 32 * 1024 * 1024

    def __init__(self, **overrides: Any) -> None:
        self.overrides = overrides
        self.health = ConnectionHealth()
        self.sent = self.delivered = self.failed = self.dropped = 0
        self.bytes_delivered = self.bytes_queued = 0
        self.last_error = ""
        self.delivered_at: dict[str, float] = {}
        self._waiting: dict[str, tuple[Topic, float]] = {}
        self._client: confluent_kafka.Producer | None = None
        self._lock = threading.Lock()

    @property
    def client(self) -> confluent_kafka.Producer:
        """The connection, made on first use: after a fork, in the process that uses it."""
        with self._lock:
            if self._client is None:
                self._client = connect(confluent_kafka.Producer, self._configuration())
            return self._client

    def _configuration(self) -> dict[str, Any]:
        return {
            **connection(self.health),
            "linger.ms": 0,
            "acks": 1,
            "queue.buffering.max.kbytes": self.queue_limit // 1024,
            "message.timeout.ms": 5000,
            "message.max.bytes": settings.KAFKA_MAX_MESSAGE_BYTES,
            **self.overrides,
        }

    def send(
        self,
        topic: Topic,
        value: bytes | None,
        *,
        key: str | bytes | None = None,
        headers: Mapping[str, bytes] | Headers | None = None,
        timestamp: int = 0,
        partition: int = 0,
        on_delivery: Callable[[str], None] | None = None,
    ) -> bool:
        """Queue a record (``timestamp`` in ms, 0 = now). False if it was dropped: the queue is
        full, or the record is too large.

        ``on_delivery`` is called later, from ``poll`` or ``send`` of any thread, with "" or the
        error.
        """
        pairs: list[tuple[str, str | bytes | None]] = [
            *(headers.items() if isinstance(headers, Mapping) else headers or ())
        ]
        # Before it is sent: another thread may serve its delivery report before this one goes on.
        begun = (topic, time.monotonic())
        with self._lock:
            self._waiting.setdefault(topic.name, begun)
        try:
            self.client.produce(
                topic.name,
                value,
                key,
                partition,
                on_delivery=self._reporter(on_delivery),
                timestamp=timestamp,
                headers=pairs,
            )
        except BufferError:
            return self._refused("the queue to Kafka is full", begun)
        except KafkaException as err:
            # librdkafka knows that the topic does not exist: the record counts as stuck, so that
            # the watchdog creates the topic.
            return self._refused(
                err.args[0].str(), None if err.args[0].code() in NO_SUCH_TOPIC else begun
            )
        except KafkaUnavailable as err:
            return self._refused(str(err), begun)
        with self._lock:
            self.sent += 1
            self.bytes_queued += len(value or b"")
        self.poll()
        return True

    def _refused(self, reason: str, begun: tuple[Topic, float] | None) -> bool:
        with self._lock:
            if begun and self._waiting.get(begun[0].name) is begun:
                del self._waiting[begun[0].name]
        self.dropped += 1
        self.last_error = reason
        if self._client is not None:
            self.poll()
        return False

    def _reporter(
        self, on_delivery: Callable[[str], None] | None
    ) -> Callable[[KafkaError | None, Any], None]:
        def report(error: KafkaError | None, message: Any) -> None:
            self._count(error, message)
            if on_delivery is not None:
                on_delivery("" if error is None else error.str())

        return self._count if on_delivery is None else report

    def _count(self, error: KafkaError | None, message: Any) -> None:
        size = len(message)
        with self._lock:
            self.bytes_queued -= size
            if error is None:
                self.delivered += 1
                self.bytes_delivered += size
                topic = message.topic()
                self._waiting.pop(topic, None)
                self.delivered_at[topic] = time.monotonic()
            else:
                self.failed += 1
                self.last_error = error.str()
        if error is None:
            self.health.on_success()

    def pop_stuck(self, seconds: float) -> list[Topic]:
        """The topics whose records have not been acknowledged for ``seconds``. Each is returned
        once, and again if later records get stuck.
        """
        horizon = time.monotonic() - seconds
        stuck = [topic for topic, begun in list(self._waiting.values()) if begun <= horizon]
        for topic in stuck:
            self._waiting.pop(topic.name, None)
        return stuck

    def renew(self) -> None:
        """Go on with a new client. What the old one has not delivered is lost and counted."""
        with self._lock:
            old, self._client = self._client, None
        if old is not None:
            threading.Thread(target=_close, args=[old], name="kafka-close", daemon=True).start()

    def poll(self) -> None:
        """Serve delivery reports and errors without waiting."""
        self.client.poll(0)

    def serve(self, seconds: float) -> bool:
        """Serve delivery reports and errors for ``seconds``, as they come in; False at once if
        nothing was sent yet.
        """
        if self._client is None:
            return False
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            # The watchdog may replace the client meanwhile, and there is none for a moment.
            self.client.poll(left)
        return True

    @property
    def queued(self) -> int:
        """How many records are not yet acknowledged."""
        client = self._client
        return 0 if client is None else len(client)

    def poll_if_open(self) -> None:
        """As ``poll``, without connecting if nothing was sent yet."""
        if (client := self._client) is not None:
            client.poll(0)

    def flush(self, timeout: float) -> int:
        """Wait until all is delivered or failed, ``timeout`` seconds at most; returns how many are
        still queued.
        """
        client = self._client
        return 0 if client is None else int(client.flush(timeout))


def _close(client: confluent_kafka.Producer) -> None:
    """Report all that the client holds as lost. Another thread may still be sending with it, so
    that record gets its time.
    """
    client.purge()
    client.flush(CLOSE_SECONDS)
