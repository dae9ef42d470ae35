from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def dock() -> Camera:
    return Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor")


@pytest.fixture
def version() -> ModelVersion:
    return ModelVersion.objects.create(
        model=Model.objects.create(slug="qr", name="QR codes"), version="1", runtime="builtin-qr"
    )


def add_model(client: Client, **fields: Any) -> HttpResponse:
    form = {
        "name": "QR codes",
        "slug": "qr",
        "description": "",
        "versions-TOTAL_FORMS": "1",
        "versions-INITIAL_FORMS": "0",
    }
    first = {
        "versions-0-version": "1",
        "versions-0-runtime": "builtin-qr",
        "versions-0-options": "{}",
    }
    response = client.post("/admin/inference/model/add/", {**form, **first, **fields})
    assert isinstance(response, HttpResponse)
    return response


def add_deployment(
    client: Client, version: ModelVersion, *cameras: Camera, **fields: Any
) -> HttpResponse:
    form = {
        "version": version.pk,
        "cameras": [camera.pk for camera in cameras],
        "role": "live",
        "delivery": "latest",
        "threshold": "0.5",
    }
    response = client.post("/admin/inference/deployment/add/", {**form, "enabled": "on", **fields})
    assert isinstance(response, HttpResponse)
    return response


def test_a_model_is_added_with_its_version(admin_client: Client) -> None:
    response = add_model(admin_client, **{"versions-0-options": '{"width": 640}'})

    assert response.status_code == 302
    version = ModelVersion.objects.get()
    assert (version.model.slug, version.version, version.runtime, version.options) == (
        "qr",
        "1",
        "builtin-qr",
        {"width": 640},
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"slug": "taken"}, "already a model with this short name"),
        ({"slug": "a.b"}, "Use lower-case letters"),
        ({"versions-0-version": "1.0"}, "Use letters, digits, hyphens and underscores"),
        ({"versions-0-options": '{"colour": "red"}'}, "colour"),
        ({"versions-0-options": '{"width": -5}'}, "width"),
        ({"versions-0-options": "[1]"}, "Options are a JSON object"),
        ({"versions-0-options": "{"}, "valid JSON"),
        ({"versions-0-runtime": "abacus"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said(admin_client: Client, fields: dict[str, str], said: str) -> None:
    Model.objects.create(slug="taken", name="Taken")

    response = add_model(admin_client, **fields)

    assert response.status_code == 200
    assert said in response.content.decode()
    assert Model.objects.count() == 1


def test_the_slug_can_only_be_read_afterwards(admin_client: Client, version: ModelVersion) -> None:
    page = admin_client.get(f"/admin/inference/model/{version.model_id}/change/").content.decode()

    assert 'name="slug"' not in page
    assert ">qr<" in page


def test_the_list_tells_versions_and_cameras(
    admin_client: Client, version: ModelVersion, dock: Camera
) -> None:
    add_deployment(admin_client, version, dock)

    page = admin_client.get("/admin/inference/model/").content.decode()
    assert '<td class="field-version_names">1</td>' in page
    assert '<td class="field-cameras_seen">1</td>' in page
    assert (
        '<td class="field-camera_names">Dock</td>'
        in admin_client.get("/admin/inference/deployment/").content.decode()
    )


def test_a_version_is_deployed(admin_client: Client, version: ModelVersion, dock: Camera) -> None:
    assert add_deployment(admin_client, version, dock).status_code == 302
    deployment = Deployment.objects.get()
    assert (deployment.threshold, deployment.role, list(deployment.cameras.all())) == (
        0.5,
        "live",
        [dock],
    )


def test_a_version_sees_a_camera_by_one_deployment(
    admin_client: Client, version: ModelVersion, dock: Camera
) -> None:
    add_deployment(admin_client, version, dock)

    response = add_deployment(admin_client, version, dock, role="shadow")

    assert response.status_code == 200
    assert "already sees Dock by another deployment" in response.content.decode()
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize("threshold", ["-0.1", "1.5", "nan", "much"])
def test_a_threshold_is_a_score(
    admin_client: Client, version: ModelVersion, threshold: str
) -> None:
    response = add_deployment(admin_client, version, threshold=threshold)

    assert response.status_code == 200
    assert response.context["adminform"].form.errors["threshold"]  # type: ignore[attr-defined]
