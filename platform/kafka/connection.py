"""What all clients share: where Kafka is, how to reach it, whether it answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from django.conf import settings

log = logging.getLogger(__name__)
# librdkafka logs every failed attempt to connect, many a second. ConnectionHealth logs an outage
# once; LOG_LEVEL=DEBUG shows them all.
client_log = logging.getLogger("librdkafka")
OFFSET_BEGINNING: int = confluent_kafka.OFFSET_BEGINNING
OFFSET_END: int = confluent_kafka.OFFSET_END
# RD_KAFKA_OFFSET_TAIL(1): the newest record that is already there, then all that follow.
OFFSET_NEWEST = -2001
AWAY = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._RESOLVE,
}
REFUSED = {
    KafkaError._AUTHENTICATION: "Kafka refuses the user name or password.",
    KafkaError.SASL_AUTHENTICATION_FAILED: "Kafka refuses the user name or password.",
    KafkaError._SSL: "Kafka's certificate cannot be trusted, or it does not speak TLS.",
}
NO_SUCH_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
Partition = tuple[str, int]
Headers = Sequence[tuple[str, bytes | None]]
"""A record's headers: a name may come again, a value may be null."""
OnPartitions = Callable[[Sequence[Partition]], None]
Client = TypeVar("Client")


class KafkaUnavailable(Exception):
    """The broker did not answer, or refused; the message says which in plain words."""


class NoSuchTopic(KafkaUnavailable):
    """The broker answers, but has no such topic."""


# In the place of headers of which one has a name that is not UTF-8.
UNREADABLE_HEADERS: Final = "dlt-unreadable-headers"


class Record(NamedTuple):
    """One record as read: ``timestamp`` in ms since the epoch. A tuple, because thousands are made
    each second.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def header_map(self) -> dict[str, bytes]:
        """The headers by name; of a repeated one, the last. A null one is empty."""
        return {name: value or b"" for name, value in self.headers}


def address_file() -> Path:
    """Holds the embedded broker's address for other commands on this machine."""
    return settings.DATA_DIR / "broker.address"


def bootstrap_servers() -> str:
    """Where to find Kafka; KafkaUnavailable if neither settings nor a running broker tell."""
    if settings.KAFKA_BOOTSTRAP_SERVERS:
        return str(settings.KAFKA_BOOTSTRAP_SERVERS)
    try:
        return address_file().read_text(encoding="utf-8").strip()
    except OSError as err:
        raise KafkaUnavailable(
            "No broker is running here: start `manage.py up`, or set KAFKA_BOOTSTRAP_SERVERS."
        ) from err


def security(variables: Mapping[str, str]) -> dict[str, str]:
    """``KAFKA_SECURITY_SASL_MECHANISM`` becomes ``sasl.mechanism``, and so on;
    ``KAFKA_SECURITY_PROTOCOL`` is ``security.protocol``.
    """
    names = {"PROTOCOL": "security.protocol"}
    return {
        names.get(name, name.lower().replace("_", ".")): value for name, value in variables.items()
    }


def connection(health: ConnectionHealth) -> dict[str, Any]:
    """The configuration that all clients share; errors of the connection go to ``health``."""
    return {
        "bootstrap.servers": bootstrap_servers(),
        "client.id": "sightline",
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 1000,
        # A host that has just gone, such as a replaced pod, does not even refuse a connection:
        # librdkafka would wait for it for 30 s.
        "socket.connection.setup.timeout.ms": 10_000,
        "topic.metadata.refresh.interval.ms": 10_000,
        "error_cb": health.on_error,
        **security(settings.KAFKA_SECURITY),
    }


def connect(kind: Callable[..., Client], configuration: Mapping[str, Any]) -> Client:
    """A client of librdkafka; KafkaUnavailable if it refuses the configuration, which may be the
    fault of KAFKA_SECURITY_*.
    """
    try:
        return kind(configuration, logger=client_log)
    except KafkaException as err:
        raise KafkaUnavailable(
            f"Kafka cannot be reached with these settings: {err.args[0].str()}"
        ) from err


class ConnectionHealth:
    """Whether Kafka answers a client: unreachable on errors of the connection, reachable again with
    the first success.
    """

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
        elif code in NO_SUCH_TOPIC:
            log.debug("kafka topic missing message=%s", error.str())
        else:
            log.warning("kafka error code=%s message=%s", code, error.str())
        if self.reachable and (code in REFUSED or code == KafkaError._ALL_BROKERS_DOWN):
            self.reachable = False
            _outage.begin(self.detail)

    def check(self, client: Any, timeout: float) -> str:
        """Why the broker does not answer ``client`` within ``timeout`` seconds; "" if it does,
        which counts as a success.
        """
        try:
            client.list_topics(timeout=timeout)
        except KafkaException as err:
            return str(err.args[0].str())
        self.on_success()
        return ""

    def on_success(self) -> None:
        if not self.reachable:
            _outage.end()
        self.reachable = True
        self.detail = ""


class _Outage:
    """Logs once for a process, and not for each of its clients, that Kafka is away or back."""

    def __init__(self) -> None:
        self.lasts = False

    def begin(self, detail: str) -> None:
        if not self.lasts:
            log.warning("kafka does not answer detail=%s", detail)
        self.lasts = True

    def end(self) -> None:
        if self.lasts:
            log.warning("kafka answers again")
        self.lasts = False


_outage = _Outage()


def embedded_broker() -> tuple[Any, str]:
    """Start librdkafka's own broker in this process: a handle that keeps it alive, and its
    address.
    """
    handle = confluent_kafka.Producer(
        {"test.mock.num.brokers": 1, "bootstrap.servers": "embedded", "log_level": 4},
        logger=client_log,
    )
    brokers = handle.list_topics(timeout=10).brokers.values()
    return handle, ",".join(f"{broker.host}:{broker.port}" for broker in brokers)


def next_offsets(offsets: Mapping[Partition, int]) -> list[TopicPartition]:
    return [
        TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()
    ]
