"""The whole way: records sent and received with the tools, answered by a worker."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from django.core.management import call_command

from inference.models import Delivery, Deployment, InputKind, Model, ModelVersion
from inference.streams.worker import RecordsWorker
from tests.inference.streams.flows import IRIS

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(embedded: str) -> Iterator[RecordsWorker]:
    version = ModelVersion.objects.create(
        model=Model.objects.create(slug="iris", name="Iris"),
        version="1",
        runtime="python",
        options={"model": "iris_model"},
    )
    Deployment.objects.create(version=version, kind=InputKind.RECORDS, delivery=Delivery.EVERY)
    worker = RecordsWorker()
    worker.stopping.set()  # makes step() return at once
    yield worker
    worker.close()


def test_records_sent_with_the_tool_come_back_by_the_tool(
    worker: RecordsWorker,
    capsysbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = (
        json.dumps(IRIS).encode()
        + b'\n{"sepal_length": 1.1,\n'
        + json.dumps({**IRIS, "petal_length": 1}).encode()
        + b"\n"
    )
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))

    call_command("send", "iris@1", "--key", "garden", "--partition", "0")
    worker.step()
    call_command("receive", "iris@1", "--from-beginning", "--count", "2", "--timeout", "20")
    call_command(
        "receive",
        "iris@1.errors",
        "--from-beginning",
        "--count",
        "1",
        "--timeout",
        "20",
        "--envelope",
    )

    first, second, letter = (
        json.loads(line) for line in capsysbinary.readouterr().out.splitlines()
    )
    assert (first, second) == ({"species": "versicolor"}, {"species": "setosa"})
    assert (letter["value"], letter["key"]) == ('{"sepal_length": 1.1,', "garden")
    assert (
        dict(letter["headers"])["dlt-exception-message"]
        == "The record is not JSON: unexpected end of data at line 1, column 22."
    )
