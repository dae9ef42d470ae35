"""Kafka: the only file that imports confluent_kafka.

Clients connect lazily and for ever; nothing here raises because the broker is away. Queues are bounded for video: what does not fit is
dropped and counted, and no caller ever waits for the broker.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from django.conf import settings

from sightline.topics import Topic

log = logging.getLogger(__name__)
# librdkafka reports every failed attempt to connect, many a second. Health says it once; LOG_LEVEL=DEBUG shows them all.
client_log = logging.getLogger("librdkafka")

OFFSET_END: int = confluent_kafka.OFFSET_END
OFFSET_NEWEST = -2001  # RD_KAFKA_OFFSET_TAIL(1): the newest record that is already there, then all that follow

AWAY = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._RESOLVE}
REFUSED = {
    KafkaError._AUTHENTICATION: "Kafka refuses the user name or password.",
    KafkaError.SASL_AUTHENTICATION_FAILED: "Kafka refuses the user name or password.",
    KafkaError._SSL: "Kafka's certificate cannot be trusted, or it does not speak TLS.",
}
NO_SUCH_TOPIC = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}

Partition = tuple[str, int]
OnPartitions = Callable[[Sequence[Partition]], None]
Client = TypeVar("Client")


class KafkaUnavailable(Exception):
    """The broker did not answer, or refused; the message says which in plain words."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as read: ``timestamp`` in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def header_map(self) -> dict[str, bytes]:
        """The headers by name; of a repeated one, the last."""
        return dict(self.headers)


def address_file() -> Path:
    """Where the embedded broker's address is left for other commands on this machine."""
    return settings.DATA_DIR / "broker.address"


def bootstrap_servers() -> str:
    """Where to find Kafka; KafkaUnavailable when nothing says so."""
    if settings.KAFKA_BOOTSTRAP_SERVERS:
        return str(settings.KAFKA_BOOTSTRAP_SERVERS)
    try:
        return address_file().read_text(encoding="utf-8").strip()
    except OSError as err:
        raise KafkaUnavailable("No broker is running here: start `manage.py up`, or set KAFKA_BOOTSTRAP_SERVERS.") from err


def security(variables: Mapping[str, str]) -> dict[str, str]:
    """``KAFKA_SECURITY_SASL_MECHANISM`` becomes ``sasl.mechanism``, and so on; ``KAFKA_SECURITY_PROTOCOL`` is ``security.protocol``."""
    names = {"PROTOCOL": "security.protocol"}
    return {names.get(name, name.lower().replace("_", ".")): value for name, value in variables.items()}


def _connection(health: Health) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap_servers(),
        "client.id": "sightline",
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "error_cb": health.on_error,
        **security(settings.KAFKA_SECURITY),
    }


def _made(kind: Callable[..., Client], configuration: Mapping[str, Any]) -> Client:
    """A client of librdkafka; KafkaUnavailable when it refuses the configuration, which KAFKA_SECURITY_* may have spoilt."""
    try:
        return kind(configuration, logger=client_log)
    except KafkaException as err:
        raise KafkaUnavailable(f"Kafka cannot be reached with these settings: {err.args[0].str()}") from err


class Health:
    """Whether Kafka answers a client: down on errors of the connection, up again with the first success."""

    def __init__(self) -> None:
        self.reachable = True
        self.detail = ""

    def on_error(self, error: KafkaError) -> None:
        """librdkafka's error callback."""
        code = error.code()
        if code in REFUSED:
            self.detail = REFUSED[code]
        elif code == KafkaError._ALL_BROKERS_DOWN:
            self.detail = self.detail or error.str()
        elif code in AWAY:
            self.detail = error.str()
        else:
            log.warning("kafka error code=%s message=%s", code, error.str())
        if self.reachable and (code in REFUSED or code == KafkaError._ALL_BROKERS_DOWN):
            self.reachable = False
            _outage.begins(self.detail)

    def on_success(self) -> None:
        """Something came through."""
        if not self.reachable:
            _outage.ends()
        self.reachable = True
        self.detail = ""


class _Outage:
    """Says once in the log of a process, not once for each of its clients, that Kafka is away or back."""

    def __init__(self) -> None:
        self.lasts = False

    def begins(self, detail: str) -> None:
        if not self.lasts:
            log.warning("kafka does not answer detail=%s", detail)
        self.lasts = True

    def ends(self) -> None:
        if self.lasts:
            log.warning("kafka answers again")
        self.lasts = False


_outage = _Outage()


class Producer:
    """Sends without waiting. Thread-safe. ``sent``, ``delivered``, ``failed`` and ``dropped`` count records."""

    def __init__(self, **overrides: Any) -> None:
        self.overrides = overrides
        self.health = Health()
        self.sent = self.delivered = self.failed = self.dropped = 0
        self.last_error = ""
        self._client: confluent_kafka.Producer | None = None
        self._lock = threading.Lock()

    @property
    def client(self) -> confluent_kafka.Producer:
        """The connection, made on first use: after a fork, in the process that uses it."""
        with self._lock:
            if self._client is None:
                self._client = _made(confluent_kafka.Producer, self._configuration())
            return self._client

    def _configuration(self) -> dict[str, Any]:
        return {
            **_connection(self.health),
            "linger.ms": 0,
            "acks": 1,
            "queue.buffering.max.kbytes": 32 * 1024,
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
        headers: Mapping[str, bytes] | Sequence[tuple[str, bytes]] | None = None,
        timestamp: int = 0,
        partition: int = 0,
        on_delivery: Callable[[str], None] | None = None,
    ) -> bool:
        """Queue a record (``timestamp`` in ms, 0 = now). False when it was dropped: the queue is full, or the record is too large.

        ``on_delivery`` is called later, from ``poll`` or ``send`` of any thread, with "" or the error.
        """
        pairs: list[tuple[str, str | bytes | None]] = [*(headers.items() if isinstance(headers, Mapping) else headers or ())]
        try:
            self.client.produce(topic.name, value, key, partition, on_delivery=self._reporter(on_delivery), timestamp=timestamp, headers=pairs)
        except BufferError:
            return self._refused("the queue to Kafka is full")
        except KafkaException as err:
            return self._refused(err.args[0].str())
        except KafkaUnavailable as err:
            return self._refused(str(err))
        self.sent += 1
        self.poll()
        return True

    def _refused(self, reason: str) -> bool:
        self.dropped += 1
        self.last_error = reason
        if self._client is not None:
            self.poll()
        return False

    def _reporter(self, on_delivery: Callable[[str], None] | None) -> Callable[[KafkaError | None, Any], None]:
        def report(error: KafkaError | None, _message: Any) -> None:
            self._count(error)
            if on_delivery is not None:
                on_delivery("" if error is None else error.str())

        return self._on_delivery if on_delivery is None else report

    def _on_delivery(self, error: KafkaError | None, _message: Any) -> None:
        self._count(error)

    def _count(self, error: KafkaError | None) -> None:
        if error is None:
            self.delivered += 1
            self.health.on_success()
        else:
            self.failed += 1
            self.last_error = error.str()

    def poll(self) -> None:
        """Serve delivery reports and errors without waiting."""
        self.client.poll(0)

    def poll_if_open(self) -> None:
        """As ``poll``, without connecting when nothing was sent yet."""
        if self._client is not None:
            self._client.poll(0)

    def flush(self, timeout: float) -> int:
        """Wait until all is delivered or failed, ``timeout`` seconds at most; the number still queued."""
        return 0 if self._client is None else int(self._client.flush(timeout))


class Consumer:
    """Reads records: either as a member of a group (``subscribe``) or of chosen partitions (``watch``). For one thread."""

    def __init__(self, group: str = "", **overrides: Any) -> None:
        self.group = group
        self.overrides = overrides
        self.health = Health()
        self._subscribed = False
        self._client: confluent_kafka.Consumer | None = None

    @property
    def client(self) -> confluent_kafka.Consumer:
        """The connection, made on first use."""
        if self._client is None:
            self._client = _made(confluent_kafka.Consumer, self._configuration())
        return self._client

    def _configuration(self) -> dict[str, Any]:
        return {
            **_connection(self.health),
            "group.id": self.group or f"{settings.TOPIC_PREFIX}.viewer",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1500,
            "queued.max.messages.kbytes": 16 * 1024,
            "fetch.message.max.bytes": settings.KAFKA_MAX_MESSAGE_BYTES,
            # The embedded broker always waits this long when one partition is empty; a real one answers with the first record.
            "fetch.wait.max.ms": 5 if settings.KAFKA_EMBEDDED else 100,
            "allow.auto.create.topics": settings.KAFKA_EMBEDDED,
            **self.overrides,
        }

    @property
    def subscribed(self) -> bool:
        """Whether ``subscribe`` was called."""
        return self._subscribed

    def subscribe(
        self,
        topics: Iterable[Topic],
        *,
        offset: int | None = None,
        on_assign: OnPartitions | None = None,
        on_revoke: OnPartitions | None = None,
        on_lost: OnPartitions | None = None,
    ) -> None:
        """Share ``topics`` with the group. ``offset``: where to begin in each new partition, instead of where the group was.

        ``on_lost``: the group went on without us, or cannot be reached; without it, ``on_revoke`` is told.
        """

        def assigned(client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            if offset is not None:
                for partition in partitions:
                    partition.offset = offset
            client.incremental_assign(partitions)
            _tell(on_assign, partitions)

        def revoked(client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            _tell(on_revoke, partitions)
            client.incremental_unassign(partitions)

        def lost(_client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            _tell(on_lost or on_revoke, partitions)

        names = [topic.name for topic in topics]
        self._subscribed = bool(names)
        if not names:
            self.client.unsubscribe()
            return
        self.client.subscribe(names, on_assign=assigned, on_revoke=revoked, on_lost=lost)

    def watch(self, topic: Topic, partition: int = 0, offset: int = OFFSET_NEWEST) -> None:
        """Begin to read a partition, outside any group, at ``offset``."""
        self.client.incremental_assign([TopicPartition(topic.name, partition, offset)])

    def unwatch(self, topic: Topic, partition: int = 0) -> None:
        """End reading a partition."""
        self.client.incremental_unassign([TopicPartition(topic.name, partition)])

    def poll(self, timeout: float) -> Record | None:
        """The next record, or None after ``timeout`` seconds. Errors of the connection are noted in ``health`` and waited out."""
        message = self.client.poll(timeout)
        if message is None:
            return None
        if (error := message.error()) is not None:
            self._note(error)
            return None
        self.health.on_success()
        return _record(message)

    def _note(self, error: KafkaError) -> None:
        if error.code() in NO_SUCH_TOPIC:
            log.debug("kafka topic missing message=%s", error.str())
        else:
            self.health.on_error(error)

    def commit(self, records: Iterable[Record]) -> None:
        """Store, without waiting, that the group is done with ``records``."""
        offsets = [TopicPartition(record.topic, record.partition, record.offset + 1) for record in records]
        if offsets:
            self.client.commit(offsets=offsets, asynchronous=True)

    def range(self, topic: Topic, partition: int = 0, timeout: float = 5) -> tuple[int, int]:
        """The first offset there is and the one that comes next; KafkaUnavailable when the broker does not say."""
        try:
            low, high = self.client.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=timeout)
        except KafkaException as err:
            raise KafkaUnavailable(err.args[0].str()) from err
        return low, high

    def answers(self, timeout: float = 1.0) -> bool:
        """Whether the broker answers within ``timeout`` seconds; noted in ``health``."""
        try:
            self.client.list_topics(timeout=timeout)
        except KafkaException as err:
            self.health.reachable = False
            self.health.detail = err.args[0].str()
            return False
        self.health.on_success()
        return True

    def close(self) -> None:
        """Leave the group."""
        if self._client is not None:
            self._client.close()
            self._client = None


def _tell(listener: OnPartitions | None, partitions: Iterable[TopicPartition]) -> None:
    if listener is not None:
        listener([(item.topic, item.partition) for item in partitions])


def _record(message: Any) -> Record:
    headers = tuple((name, value or b"") for name, value in message.headers() or ())
    return Record(message.topic(), message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(), headers)


class Admin:
    """Topics on the broker."""

    def __init__(self) -> None:
        self.health = Health()
        self._known: set[str] = set()
        self._client: AdminClient | None = None

    @property
    def client(self) -> AdminClient:
        """The connection, made on first use."""
        if self._client is None:
            self._client = _made(AdminClient, _connection(self.health) | {"allow.auto.create.topics": settings.KAFKA_EMBEDDED})
        return self._client

    def partitions(self, timeout: float = 5) -> dict[str, int]:
        """Every topic on the broker with its number of partitions; KafkaUnavailable when it does not answer."""
        try:
            found = self.client.list_topics(timeout=timeout).topics
        except KafkaException as err:
            self.client.poll(0)  # lets librdkafka tell why
            raise KafkaUnavailable(f"Kafka at {bootstrap_servers()} does not answer: {self.health.detail or err.args[0].str()}") from err
        return {name: len(topic.partitions) for name, topic in found.items()}

    def ensure(self, topics: Iterable[Topic], timeout: float = 5) -> list[str]:
        """Create what is missing; the names created. Known ones cost nothing. KafkaUnavailable when the broker refuses or is away."""
        wanted = {topic.name: topic for topic in topics if topic.name not in self._known}
        if not wanted:
            return []
        existing = self.partitions(timeout)
        missing = [topic for name, topic in wanted.items() if name not in existing]
        created = [topic.name for topic in missing if self._create(topic, timeout)]
        self._known.update(wanted)
        return created

    def forget(self) -> None:
        """Ask the broker again next time: it may have been replaced by an empty one."""
        self._known.clear()

    def _create(self, topic: Topic, timeout: float) -> bool:
        if settings.KAFKA_EMBEDDED:
            # The embedded broker cannot be asked to create a topic; it makes one when it is first asked about it.
            self.client.list_topics(topic.name, timeout=timeout)
            return True
        request = NewTopic(topic.name, topic.partitions, settings.KAFKA_REPLICATION, config=topic.config)
        try:
            self.client.create_topics([request], request_timeout=timeout)[topic.name].result(timeout + 1)
        except KafkaException as err:
            if err.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise KafkaUnavailable(f"Kafka does not create {topic.name}: {err.args[0].str()}") from err
        return True


def embedded_broker() -> tuple[Any, str]:
    """Start librdkafka's own broker in this process: a handle that keeps it alive, and its address."""
    handle = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "embedded", "log_level": 4}, logger=client_log)
    brokers = handle.list_topics(timeout=10).brokers.values()
    return handle, ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
