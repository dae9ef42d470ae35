from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from inference.models import Delivery, Deployment, InputKind, Model, ModelVersion
from inference.plans import record_plans
from inference.streams.worker import RecordsWorker
from sightline.kafka import Admin, Producer, topics
from sightline.messages import ModelState, ModelStatus, model_key
from tests.inference.streams.flows import IRIS, PartitionsReader
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.django_db


def deploy(
    slug: str, runtime: str = "python", delivery: str = Delivery.EVERY, **options: object
) -> Deployment:
    model, _ = Model.objects.get_or_create(slug=slug, defaults={"name": slug, "partitions": 3})
    version = ModelVersion.objects.create(
        model=model, version="1", runtime=runtime, options=options
    )
    return Deployment.objects.create(
        version=version, kind=InputKind.RECORDS, delivery=delivery, batch=8
    )


@pytest.fixture
def worker(embedded: str) -> Iterator[RecordsWorker]:
    worker = RecordsWorker()
    worker.open()
    yield worker
    worker.close()


def send(model: str, *documents: object) -> None:
    topic = topics.inputs(model, "1")
    Admin().ensure([topic])
    producer = Producer()
    for document in documents:
        producer.send(topic, json.dumps(document).encode())
    assert producer.flush(10) == 0


def told(worker: RecordsWorker) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in worker.metrics()
        for sample in metric.samples
    }


def test_a_plan_says_what_the_deployment_asks_for() -> None:
    deploy("iris", delivery=Delivery.EXACTLY_ONCE, model="iris_model")
    Deployment.objects.create(
        version=deploy("frames", model="picture_model").version, kind=InputKind.PICTURES
    )
    Deployment.objects.filter(version__model__slug="frames", kind=InputKind.RECORDS).update(
        enabled=False
    )

    plans = record_plans()

    assert set(plans) == {"iris@1"}
    plan = plans["iris@1"]
    assert (plan.exactly_once, plan.batch, plan.partitions, plan.option_values) == (
        True,
        8,
        3,
        {"model": "iris_model"},
    )


def test_any_number_of_models_in_one_worker_come_and_go(worker: RecordsWorker) -> None:
    worker.stopping.set()  # makes step() return at once
    deploy("iris", model="iris_model")
    free = deploy("free", model="free_model")
    send("iris", IRIS)
    send("free", {"id": 7})
    iris_outputs, free_outputs = (
        PartitionsReader(topics.outputs("iris", "1")),
        PartitionsReader(topics.outputs("free", "1")),
    )

    worker.step()
    wait_until(lambda: iris_outputs.read() and free_outputs.read(), 30, "an output of each model")
    assert [
        json.loads(record.value or b"") for record in (*iris_outputs.records, *free_outputs.records)
    ] == [{"species": "versicolor"}, {"id": 7}]
    assert worker.counters()["models"] == 2
    wait_until(
        lambda: (
            told(worker)["sightline_consumer_lag_records", topics.records_group("iris", "1")] == 0
        ),
        30,
        "the answer to be settled",
    )
    told_now = told(worker)
    assert told_now["sightline_model_records_total", "iris", "1", "predicted"] == 1
    assert told_now["sightline_model_state", "free", "1", "running"] == 1
    assert told_now["sightline_model_call_seconds_count", "iris", "1"] == 1

    free.delete()
    worker.step()
    assert set(worker.runners) == {"iris@1"}
    worker.ending[0].join(20)
    assert worker.counters()["predicted"] == 1
    for reader in (iris_outputs, free_outputs):
        reader.close()


def test_exactly_once_with_a_server_is_refused_in_plain_words(worker: RecordsWorker) -> None:
    worker.stopping.set()
    deploy("remote", "kserve-rest", Delivery.EXACTLY_ONCE, address="http://127.0.0.1:9", model="x")

    worker.step()

    pipeline = worker.runners["remote@1"]
    wait_until(lambda: pipeline.state.status().state is ModelState.FAILING)
    assert (
        pipeline.state.status().detail
        == "Exactly once is for models that run in the worker itself: what a server does cannot be"
        " undone. Choose the delivery “every”."
    )


def test_the_state_of_each_model_is_published(worker: RecordsWorker) -> None:
    worker.stopping.set()
    deploy("heavy", model="heavy_model")
    reader = PartitionsReader(topics.status())

    def told() -> ModelStatus | None:
        worker.step()
        states = [
            ModelStatus.from_json(record.value)
            for record in reader.read()
            if record.key == model_key("heavy", "1").encode()
        ]
        return states[-1] if states and states[-1].state is ModelState.FAILING else None

    status = wait_until(told, 30, "the state")
    assert status
    assert status.detail.endswith(
        "cannot be loaded. FileNotFoundError: the weights are not where they should be"
    )
    reader.close()
