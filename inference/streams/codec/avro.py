"""Avro records as Confluent's serializers write them: a zero byte, the schema's number in the
registry, the data.
"""

from __future__ import annotations

import datetime
import decimal
import io
import json
import math
import uuid
from typing import Any, Final
from urllib.parse import quote

import requests
from django.conf import settings
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import SchemaParseException
from fastavro.types import Schema

from cameras.sources.base import AddressError, Addresses
from cameras.sources.pinned_http import pinned_session
from inference.runtimes.errors import ServerUnavailable
from inference.runtimes.servers.addresses import check_server
from inference.streams.codec.schema import RecordError
from sightline.base.redaction import redact_url

MAGIC: Final = b"\0"
NUMBER_BYTES: Final = 5
DEADLINE_SECONDS: Final = 5.0
ACCEPT: Final = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}


class AvroDecoder:
    """Decodes Avro values with the schemas of a registry. Fetches each schema once, on first use.

    Protocol: the wire format and the REST API of Confluent's Schema Registry,
    https://docs.confluent.io/platform/current/schema-registry/.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = pinned_session(_check)
        self._schemas: dict[int, Schema] = {}

    def decode(self, value: bytes) -> Any:
        """The document with JSON's types: dates as text, bytes as text of as many characters,
        decimals as floats.

        RecordError when the value is broken or its schema unknown, ServerUnavailable when the
        registry is away.
        """
        if len(value) <= NUMBER_BYTES:
            raise RecordError("The record begins like Avro but ends before its data.")
        number = int.from_bytes(value[1:NUMBER_BYTES], "big")
        if number not in self._schemas:
            self._schemas[number] = self._fetch_schema(number)
        try:
            return _plain(
                schemaless_reader(io.BytesIO(value[NUMBER_BYTES:]), self._schemas[number], None)
            )
        except Exception as err:
            raise RecordError(
                f"The record is no Avro of the schema {number}. {type(err).__name__}: {err}"
            ) from err

    def _fetch_schema(self, number: int) -> Schema:
        found = self._fetch(f"schemas/ids/{number}", number)
        named: dict[str, dict[Any, Any]] = {}
        try:
            self._resolve(found, number, named)
            return parse_schema(json.loads(found["schema"]), named_schemas=named)
        except (ValueError, KeyError, TypeError, RecursionError, SchemaParseException) as err:
            raise RecordError(
                f"The schema {number}, which the record was written with, is no Avro schema."
                f" {type(err).__name__}: {err}"
            ) from err

    def _resolve(
        self, document: dict[str, Any], number: int, named: dict[str, dict[Any, Any]]
    ) -> None:
        """Add to ``named`` the schemas that a schema refers to, and those that they refer to."""
        for item in document.get("references") or ():
            if item["name"] not in named:
                found = self._fetch(
                    f"subjects/{quote(item['subject'], safe='')}/versions/{int(item['version'])}",
                    number,
                )
                self._resolve(found, number, named)
                parse_schema(json.loads(found["schema"]), named_schemas=named)

    def _fetch(self, path: str, number: int) -> dict[str, Any]:
        try:
            reply = self._session.get(
                f"{self._url}/{path}",
                headers=ACCEPT,
                timeout=DEADLINE_SECONDS,
                allow_redirects=False,
            )
            if reply.is_redirect:
                raise ServerUnavailable(
                    "The schema registry sends its callers on to another address, which is not"
                    " followed. Enter the final one as SCHEMA_REGISTRY_URL."
                )
            if reply.status_code == requests.codes.not_found:
                raise RecordError(
                    f"The schema registry knows no schema {number}, which the record was written"
                    " with."
                )
            if reply.status_code != requests.codes.ok:
                raise ServerUnavailable(
                    f"The schema registry does not give the schema {number}: it answers"
                    f" {reply.status_code}."
                )
            found = reply.json()
        except AddressError as err:
            raise ServerUnavailable(str(err)) from err
        except requests.RequestException as err:
            raise ServerUnavailable(
                f"The schema registry does not answer. {type(err).__name__}: {redact_url(str(err))}"
            ) from err
        if not isinstance(found, dict):
            raise ServerUnavailable("What answers at SCHEMA_REGISTRY_URL is no schema registry.")
        return found


def _check(host: str, port: int) -> Addresses:
    return check_server(host, port, "schema registry")


def configured_decoder() -> AvroDecoder | None:
    """A decoder, if the settings name a schema registry."""
    return AvroDecoder(str(settings.SCHEMA_REGISTRY_URL)) if settings.SCHEMA_REGISTRY_URL else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, decimal.Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | datetime.timedelta):
        return str(value)
    return value
