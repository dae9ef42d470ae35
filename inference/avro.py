"""Avro records, as Confluent's serializers write them: a zero byte, the schema's number in the registry, then the data."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.schemas import RecordError

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

MAGIC: Final = b"\0"
NUMBER_BYTES: Final = 5
DEADLINE_SECONDS: Final = 5.0
# The registry's client passes on what its HTTP library raises; which one that is depends on its version.
HTTP_LIBRARIES: Final = ("httpx", "httpcore", "requests", "urllib3")


class AvroReader:
    """Reads Avro values with the schemas of a registry, which is asked once for each schema. Connects on first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: set[int] = set()
        self._client: SchemaRegistryClient | None = None
        self._deserialize: Callable[[bytes], Any] = lambda value: None

    def read(self, value: bytes) -> Any:
        """What the value holds, as JSON would have it: dates as text, bytes as text of as many characters, decimals as floats.

        RecordError when it is broken or its schema is not known, ServerUnavailable when the registry is away.
        """
        if len(value) <= NUMBER_BYTES:
            raise RecordError("The record begins like Avro but ends before its data.")
        number = int.from_bytes(value[1:NUMBER_BYTES], "big")
        self._learn(number)
        try:
            return _plain(self._deserialize(value))
        except Exception as err:
            if _is_of_the_registry(err):
                raise _translated(err, number) from err
            raise RecordError(f"The record is no Avro of the schema {number}. {type(err).__name__}: {err}") from err

    def _learn(self, number: int) -> None:
        if number in self._known:
            return
        if self._client is None:
            self._client, self._deserialize = _connected(self._url)
        try:
            self._client.get_schema(number)
        except Exception as err:
            raise _translated(err, number) from err
        self._known.add(number)


def reader() -> AvroReader | None:
    """A reader, where a schema registry is set."""
    return AvroReader(str(settings.SCHEMA_REGISTRY_URL)) if settings.SCHEMA_REGISTRY_URL else None


def _connected(url: str) -> tuple[SchemaRegistryClient, Callable[[bytes], Any]]:
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
        from confluent_kafka.schema_registry.avro import AvroDeserializer
    except ImportError as err:
        # Not the record's fault: it waits until the package is there.
        raise ServerUnavailable(f"Avro cannot be read here: install confluent-kafka[avro,schemaregistry] ({err}).") from err
    client = SchemaRegistryClient({"url": url, "timeout": DEADLINE_SECONDS, "max.retries": 0})
    return client, AvroDeserializer(client)


def _is_of_the_registry(err: Exception) -> bool:
    return hasattr(err, "http_status_code") or type(err).__module__.startswith(HTTP_LIBRARIES)


def _translated(err: Exception, number: int) -> InferenceError:
    status = getattr(err, "http_status_code", None)
    if status == 404:
        return RecordError(f"The schema registry knows no schema {number}, which the record was written with.")
    if status is not None:
        return ServerUnavailable(f"The schema registry does not give the schema {number}: it answers {status}.")
    return ServerUnavailable(f"The schema registry does not answer. {type(err).__name__}: {err}")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | datetime.timedelta):
        return str(value)
    return value
