"""Avro as Confluent's own serializer writes it, with a registry that speaks the registry's
documented interface.
"""

from __future__ import annotations

import datetime
import decimal
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from pytest_django import Settings

from inference.runtimes.errors import ServerUnavailable
from inference.streams.codec.avro import AvroDecoder
from inference.streams.codec.schema import RecordError
from tests.inference.streams.flows import IRIS, Flow, reason
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.resolver import Rebinding

FLOWER = {
    "type": "record",
    "name": "Flower",
    "fields": [{"name": name, "type": "double"} for name in IRIS],
}
ODD = {
    "type": "record",
    "name": "Odd",
    "fields": [
        {"name": "raw", "type": "bytes"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {
            "name": "price",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
        },
        {"name": "parts", "type": {"type": "array", "items": ["null", "int"]}},
    ],
}


class Registry(ThreadingHTTPServer):
    """Keeps schemas, and ``documents`` by path. ``asked`` are the paths of all requests;
    ``status``: answers nothing but this.
    """

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), Handler)
        self.schemas: list[str] = []
        self.documents: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.status = 200
        self.location = ""
        self.url = f"http://{LOOPBACK}:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path in self.server.documents:
            self.answer(200, self.server.documents[path])
            return
        number = int(path.rsplit("/", 1)[-1])
        if number > len(self.server.schemas):
            self.answer(404, {"error_code": 40403, "message": "Schema not found"})
        else:
            self.answer(200, {"schema": self.server.schemas[number - 1]})

    def do_POST(self) -> None:
        schema = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["schema"]
        if schema not in self.server.schemas:
            self.server.schemas.append(schema)
        self.answer(200, {"id": self.server.schemas.index(schema) + 1, "schema": schema})

    def answer(self, status: int, document: dict[str, Any]) -> None:
        self.server.asked.append(self.path)
        body = json.dumps(document).encode()
        self.send_response(status if self.server.status == 200 else self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def avro(registry: Registry, schema: dict[str, Any], document: dict[str, Any]) -> bytes:
    """A value as a producer with Confluent's serializer sends it."""
    conf = {"subject.name.strategy.type": "TOPIC"}
    serializer = AvroSerializer(
        SchemaRegistryClient({"url": registry.url}), json.dumps(schema), conf=conf
    )
    value = serializer(document, SerializationContext("flowers", MessageField.VALUE))
    assert isinstance(value, bytes)
    return value


def test_avro_records_are_answered_in_json(
    flow: Callable[..., Flow], registry: Registry, settings: Settings
) -> None:
    settings.SCHEMA_REGISTRY_URL = registry.url
    value = avro(registry, FLOWER, IRIS)
    iris = flow("iris_model")
    iris.send(value, json.dumps(IRIS).encode(), value[:20], b"\0\0\0\0\x63" + value[5:])

    assert iris.results(2) == [{"species": "versicolor"}] * 2
    broken, unknown = (reason(letter) for letter in iris.letters(2))
    assert broken.startswith("The record is no Avro of the schema 1. ")
    assert unknown == "The schema registry knows no schema 99, which the record was written with."


def test_a_schema_is_asked_for_once(registry: Registry) -> None:
    value = avro(registry, FLOWER, IRIS)
    decoder = AvroDecoder(registry.url)
    registry.asked.clear()

    assert decoder.decode(value) == decoder.decode(value) == IRIS
    assert len(registry.asked) == 1


def test_what_json_has_no_form_for_becomes_text_or_a_number(registry: Registry) -> None:
    at = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
    value = avro(
        registry,
        ODD,
        {"raw": b"\xe4\x00", "at": at, "price": decimal.Decimal("12.50"), "parts": [None, 2]},
    )

    assert AvroDecoder(registry.url).decode(value) == {
        "raw": "ä\x00",
        "at": "2026-05-01T12:00:00+00:00",
        "price": 12.5,
        "parts": [None, 2],
    }


def test_schemas_that_refer_to_others_are_put_together(registry: Registry) -> None:
    bed = {
        "type": "record",
        "name": "own.Bed",
        "fields": [{"name": "flowers", "type": {"type": "array", "items": "Flower"}}],
    }
    garden = {
        "type": "record",
        "name": "own.Garden",
        "fields": [{"name": "bed", "type": "Bed"}, {"name": "spare", "type": ["null", "Flower"]}],
    }
    flower = json.dumps(FLOWER | {"namespace": "own"})
    registry.documents = {
        "/schemas/ids/7": {
            "schema": json.dumps(garden),
            "references": [
                {"name": "own.Bed", "subject": "beds/all", "version": 2},
                {"name": "own.Flower", "subject": "flowers", "version": 1},
            ],
        },
        "/subjects/beds%2Fall/versions/2": {
            "schema": json.dumps(bed),
            "references": [{"name": "own.Flower", "subject": "flowers", "version": 1}],
        },
        "/subjects/flowers/versions/1": {"schema": flower},
    }
    flowers = struct.pack("<4d", *IRIS.values())

    read = AvroDecoder(registry.url).decode(
        b"\0\0\0\0\x07" + b"\x02" + flowers + b"\0" + b"\x02" + flowers
    )

    assert read == {"bed": {"flowers": [IRIS]}, "spare": IRIS}
    assert registry.asked == [
        "/schemas/ids/7",
        "/subjects/beds%2Fall/versions/2",
        "/subjects/flowers/versions/1",
    ]


def test_what_is_no_avro_schema_is_said(registry: Registry) -> None:
    registry.documents = {"/schemas/ids/1": {"schema": '{"type": "object"}', "schemaType": "JSON"}}
    with pytest.raises(
        RecordError, match=r"The schema 1, which the record was written with, is no Avro schema\."
    ):
        AvroDecoder(registry.url).decode(b"\0\0\0\0\x01abc")


def test_a_registry_that_is_away_or_ill_is_not_the_records_fault(registry: Registry) -> None:
    value = avro(registry, FLOWER, IRIS)
    with pytest.raises(ServerUnavailable, match="The schema registry does not answer"):
        AvroDecoder(f"http://{LOOPBACK}:{free_port()}").decode(value)
    registry.status = 500
    with pytest.raises(ServerUnavailable, match="it answers 500"):
        AvroDecoder(registry.url).decode(value)


def test_half_a_header_is_the_records_fault() -> None:
    with pytest.raises(RecordError, match="ends before its data"):
        AvroDecoder("http://unused").decode(b"\0\0\0")


def test_without_a_registry_avro_is_no_json(flow: Callable[..., Flow]) -> None:
    iris = flow("iris_model")
    iris.send(b"\0\0\0\0\x01abc")
    assert reason(iris.letters(1)[0]).startswith("The record is not JSON")


def test_a_registry_is_checked_like_a_model_server(registry: Registry, settings: Settings) -> None:
    value = avro(registry, FLOWER, IRIS)
    registry.asked.clear()
    settings.MODEL_ALLOWED_NETWORKS = []
    with pytest.raises(ServerUnavailable, match="is this machine itself, so no schema registry"):
        AvroDecoder(registry.url).decode(value)
    assert registry.asked == []


def test_a_registrys_redirect_is_not_followed(registry: Registry) -> None:
    value = avro(registry, FLOWER, IRIS)
    registry.asked.clear()
    registry.status, registry.location = 307, f"{registry.url}/schemas/ids/1?elsewhere"
    with pytest.raises(ServerUnavailable, match="sends its callers on to another address"):
        AvroDecoder(registry.url).decode(value)
    assert registry.asked == ["/schemas/ids/1"]


def test_a_registrys_name_is_asked_for_once(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = avro(registry, FLOWER, IRIS)
    rebinding = Rebinding("registry.example", "127.0.0.1", "127.0.0.9")
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    decoder = AvroDecoder(registry.url.replace("127.0.0.1", "registry.example"))
    assert decoder.decode(value) == IRIS
    assert rebinding.asked == 1
