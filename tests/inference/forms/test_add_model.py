from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion
from tests.inference.forms.conftest import new_model, upload

pytestmark = pytest.mark.django_db
PAGE = "/admin/inference/model/add/"
DEPLOYED = {
    "deploy__wanted": "on",
    "deploy__role": "live",
    "deploy__threshold": "0.5",
    "deploy__batch": "4",
    "deploy__batch_ms": "5",
}
SERVER = {
    "runtime": "kserve-grpc",
    "o__tfserving-rest-address": "10.0.0.5:8001",
    "o__tfserving-rest-model": "iris",
}


def add(client: Client, **version: Any) -> HttpResponse:
    response = client.post(PAGE, new_model(**version))
    assert isinstance(response, HttpResponse)
    return response


def refused(client: Client, said: str, **version: Any) -> str:
    """The page, which must have come back with this sentence, with nothing saved."""
    response = add(client, **version)
    page = response.content.decode()
    assert response.status_code == 200
    assert said in page
    assert not Model.objects.exists()
    return page


def test_one_page_uploads_sets_and_deploys(
    admin_client: Client, squares: Path, dock: Camera
) -> None:
    chosen = {
        "o__output-adapter": "yolo",
        "o__output-yolo-min_score": "0.4",
        "o__input-mean": "0.5, 0.5, 0.5",
        "o__onnx-threads": "2",
    }

    response = add(
        admin_client,
        file=upload(squares),
        **chosen,
        **DEPLOYED,
        deploy__cameras=[dock.pk],
        deploy__crop_label="",
    )

    assert response.status_code == 302, response.content.decode()
    version = ModelVersion.objects.get()
    assert version.options == {
        "threads": 2,
        "input": {"mean": [0.5, 0.5, 0.5]},
        "output": {"adapter": "yolo", "min_score": 0.4},
    }
    assert version.sha256 == hashlib.sha256(squares.read_bytes()).hexdigest()
    assert Path(version.file.path).read_bytes() == squares.read_bytes()
    deployment = Deployment.objects.get()
    assert (
        deployment.version,
        deployment.kind,
        deployment.delivery,
        deployment.threshold,
        deployment.batch,
    ) == (
        version,
        "pictures",
        "latest",
        0.5,
        4,
    )
    assert list(deployment.cameras.all()) == [dock]


def test_a_file_that_is_no_model_is_refused_at_its_field(admin_client: Client) -> None:
    page = refused(
        admin_client, "The file is not an ONNX model", file=SimpleUploadedFile("cat.onnx", b"meow")
    )
    assert page.index("The file is not an ONNX model") < page.index('name="versions-0-file"')


def test_a_file_is_needed_where_a_file_runs(admin_client: Client) -> None:
    refused(admin_client, "Upload the model&#x27;s file.")


def test_a_file_larger_than_the_option_allows_is_refused(admin_client: Client) -> None:
    large = SimpleUploadedFile("large.onnx", bytes(1024 * 1024 + 1))
    refused(
        admin_client,
        "The file is too large: 1 MiB, and 1 MiB are allowed.",
        file=large,
        **{"o__onnx-max_mebibytes": "1"},
    )


def test_a_wrong_option_is_said_at_its_field(admin_client: Client) -> None:
    page = refused(
        admin_client,
        "must be from 0.05 to 600.0",
        **SERVER,
        **{"o__tfserving-rest-deadline": "9999"},
    )
    assert (
        "must be from 0.05"
        in page[: page.index('name="versions-0-o-tfserving-rest-deadline"')].rpartition(
            '<div class="mf-row'
        )[2]
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"o__tfserving-rest-address": ""}, "is missing. Where the model server is"),
        (
            {"o__tfserving-rest-address": "http://10.0.0.5:8001"},
            "The model server&#x27;s address cannot be used",
        ),
        ({"o__tfserving-rest-deadline": "soon"}, "must be a number"),
        ({"o__input-std": "0, 1, 1"}, "must be from 1e-09"),
    ],
)
def test_what_is_wrong_about_a_server_is_said(
    admin_client: Client, fields: dict[str, str], said: str
) -> None:
    refused(admin_client, said, **{**SERVER, **fields})


def test_options_of_other_runtimes_are_left_alone(admin_client: Client) -> None:
    add(
        admin_client,
        **SERVER,
        **{
            "o__onnx-threads": "nonsense",
            "o__builtin-qr-width": "-1",
            "o__output-yolo-overlap": "7",
        },
    )
    assert ModelVersion.objects.get().options == {"address": "10.0.0.5:8001", "model": "iris"}


def test_records_are_served_in_partitions(admin_client: Client) -> None:
    features = {
        "o__records-features": "sepal_length\nsepal_width",
        "input_schema": '{"type": "object"}',
    }
    wanted = {**DEPLOYED, "deploy__record_delivery": "every"}
    form = {**new_model(**{**SERVER, "sees": "records"}, **features, **wanted), "partitions": "3"}

    assert admin_client.post(PAGE, form).status_code == 302

    version = ModelVersion.objects.get()
    assert version.options == {
        "address": "10.0.0.5:8001",
        "model": "iris",
        "features": ["sepal_length", "sepal_width"],
    }
    assert (version.input_schema, version.output_schema, version.model.partitions) == (
        {"type": "object"},
        {},
        3,
    )
    assert (version.deployments.get().kind, version.deployments.get().delivery) == (
        "records",
        "every",
    )


def test_a_server_is_not_asked_exactly_once(admin_client: Client) -> None:
    wanted = {**DEPLOYED, "deploy__record_delivery": "exactly-once"}
    refused(
        admin_client,
        "what a server does cannot be undone",
        **{**SERVER, "sees": "records"},
        **wanted,
    )


def test_a_class_is_chosen_not_typed(admin_client: Client) -> None:
    page = admin_client.get(PAGE).content.decode()
    assert '<option value="iris_model">Iris 1.0 (iris_model)</option>' in page
    refused(
        admin_client,
        "There is no Python model",
        runtime="python",
        sees="records",
        **{"o__python-model": "os.system"},
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"runtime": "builtin-qr", "sees": "records"}, "takes pictures, not records"),
        (
            {"runtime": "python", "o__python-model": "iris_model"},
            "This class takes records, not pictures",
        ),
        (
            {
                "runtime": "python",
                "o__python-model": "iris_model",
                "sees": "records",
                "input_schema": '{"type": "thing"}',
            },
            "The schema is wrong",
        ),
        ({"runtime": "builtin-qr", **DEPLOYED}, "Choose at least one camera"),
        ({"runtime": "builtin-qr", "options_as": "json", "options": '{"colour": 1}'}, "colour"),
    ],
)
def test_what_does_not_go_together_is_said(
    admin_client: Client, fields: dict[str, str], said: str
) -> None:
    refused(admin_client, said, **fields)


def test_experts_write_json(admin_client: Client) -> None:
    add(
        admin_client,
        runtime="builtin-qr",
        options_as="json",
        options='{"width": 800}',
        **{"o__builtin-qr-width": "200"},
    )
    assert ModelVersion.objects.get().options == {"width": 800}


def test_the_page_names_what_each_field_is_for(admin_client: Client) -> None:
    page = admin_client.get(PAGE).content.decode()
    assert "For TensorFlow Serving, REST; TensorFlow Serving, gRPC; KServe v2" in page
    assert "<script>" not in page
    assert " style=" not in page
