"""From a broken record to its answer: the worker, the page and the worker again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera
from inference.models import Model, ModelVersion
from inference.runtimes.base import Picture
from tests.inference.deadletters.conftest import Graveyard
from tests.inference.pipelines import Bench
from tests.inference.streams.flows import IRIS, Flow
from tests.inference.stub import Detections, Mind, Stub, one_thing
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def flow(embedded: str, settings: Settings) -> Iterator[Flow]:
    """Version 1 at work on its records."""
    settings.PYTHON_MODELS = ["tests.models_for_tests.IrisModel"]
    flow = Flow("iris_model", slug="iris")
    yield flow
    flow.close()


def test_a_broken_record_is_corrected_and_answered(
    flow: Flow, graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    flow.send(b'{"sepal_length": 1.1', key=b"flower-7", headers=[("trace", b"abc")])
    flow.letters(1)
    assert "The record is not JSON" in admin_client.get(pages).text
    admin_client.post(f"{pages}0/0/", {"target": iris.pk, "record": json.dumps(IRIS)})
    (answer,) = flow.records(flow.outputs, 1)
    assert json.loads(answer.value or b"") == {"species": "versicolor"}
    assert (answer.key, answer.headers) == (b"flower-7", (("trace", b"abc"),))


def test_attempts_are_counted_over_all_retries(
    flow: Flow, graveyard: Graveyard, admin_client: Client, pages: str, iris: ModelVersion
) -> None:
    flow.send(b"{}")
    for attempt in (1, 2, 3):
        flow.letters(attempt)
        admin_client.post(f"{pages}0/{attempt - 1}/", {"target": iris.pk})
    flow.letters(4)
    assert [letter.why.attempt for letter in graveyard.letters()] == [4, 3, 2, 1]


def test_a_frame_that_a_pipeline_gave_up_is_predicted_on_by_the_mended_model(
    bench: Bench, admin_client: Client, dock: Camera
) -> None:
    def broken(picture: Picture) -> Detections:
        raise ValueError("not today")

    Stub.minds["eye"] = Mind(see=broken)
    eye = ModelVersion.objects.create(
        model=Model.objects.create(slug="eye", name="Eye"),
        version="1",
        runtime="stub",
        options={"name": "eye"},
    )
    bench.pipeline("eye", "dock")
    wait_until(
        lambda: bench.show("dock") and bench.errors("eye"), 20, "a dead letter", interval=0.1
    )
    Stub.minds["eye"].see = one_thing
    pages = f"/admin/inference/model/{eye.model.pk}/deadletters/1/"
    assert "not today" in admin_client.get(pages).text
    assert (
        "The model sees thing 0.90."
        in admin_client.post(f"{pages}0/0/", {"target": eye.pk}, follow=True).text
    )
    letter = bench.errors("eye")[0]
    wait_until(
        lambda: (
            int(letter.header_map["seq"])
            in {said.frame.seq for said in bench.predictions("dock", "eye")}
        ),
        10,
        "its prediction",
    )
