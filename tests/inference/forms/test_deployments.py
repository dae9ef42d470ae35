from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from cameras.models import Camera, CameraGroup
from inference.models import Deployment, Model, ModelVersion
from tests.servers.stack import form_values

pytestmark = pytest.mark.django_db
ADD = "/admin/inference/deployment/add/"


@pytest.fixture
def mood(db: None) -> ModelVersion:
    return ModelVersion.objects.create(
        model=Model.objects.create(slug="mood", name="Mood"), version="1", runtime="builtin-faces"
    )


@pytest.fixture
def iris(db: None) -> ModelVersion:
    options = {"address": "10.0.0.5:8001", "model": "iris", "features": ["a"]}
    return ModelVersion.objects.create(
        model=Model.objects.create(slug="iris", name="Iris"),
        version="1",
        runtime="kserve-grpc",
        options=options,
    )


def deploy(
    client: Client, version: ModelVersion, *cameras: Camera, path: str = ADD, **fields: Any
) -> HttpResponse:
    form = {
        "version": version.pk,
        "cameras": [camera.pk for camera in cameras],
        "role": "live",
        "delivery": "latest",
        "threshold": "0",
    }
    response = client.post(
        path, {**form, "kind": "pictures", "batch": "1", "batch_ms": "5", "enabled": "on", **fields}
    )
    assert isinstance(response, HttpResponse)
    return response


def refused(response: HttpResponse, field: str, said: str) -> None:
    assert response.status_code == 200
    errors = response.context["adminform"].form.errors  # type: ignore[attr-defined]
    assert said in " ".join(errors[field])


def test_records_need_no_camera(admin_client: Client, iris: ModelVersion) -> None:
    assert deploy(admin_client, iris, kind="records", delivery="every").status_code == 302
    assert Deployment.objects.get().kind == "records"
    assert "its inputs topic" in admin_client.get("/admin/inference/deployment/").content.decode()


def test_pictures_need_one(admin_client: Client, qr: ModelVersion) -> None:
    refused(deploy(admin_client, qr), "cameras", "Choose at least one camera")


def test_what_cannot_work_is_refused_at_its_field(
    admin_client: Client, qr: ModelVersion, iris: ModelVersion, dock: Camera
) -> None:
    refused(deploy(admin_client, qr, dock, delivery="every"), "delivery", "A camera does not wait")
    refused(deploy(admin_client, iris, kind="records"), "delivery", "Of records none is left out")
    refused(
        deploy(admin_client, iris, kind="records", delivery="exactly-once"),
        "delivery",
        "what a server does cannot be undone",
    )
    refused(
        deploy(admin_client, iris, dock),
        "kind",
        "iris 1 cannot see pictures of cameras. The option &#x27;features".replace("&#x27;", "'"),
    )


def test_records_are_read_by_one_deployment(admin_client: Client, iris: ModelVersion) -> None:
    deploy(admin_client, iris, kind="records", delivery="every")
    refused(
        deploy(admin_client, iris, kind="records", delivery="every"),
        "kind",
        "already has a deployment on records",
    )


def test_a_second_stage_sees_the_cameras_of_the_first(
    admin_client: Client, qr: ModelVersion, mood: ModelVersion, dock: Camera
) -> None:
    deploy(admin_client, qr, dock)
    first = Deployment.objects.get()

    assert deploy(admin_client, mood, crops_of=first.pk).status_code == 302
    assert "boxes of qr 1" in admin_client.get("/admin/inference/deployment/").content.decode()
    refused(
        deploy(admin_client, mood, dock, role="shadow"),
        "cameras",
        "mood 1 already sees Dock by another deployment",
    )


def test_stages_do_not_go_round(
    admin_client: Client, qr: ModelVersion, mood: ModelVersion, dock: Camera
) -> None:
    deploy(admin_client, qr, dock)
    first = Deployment.objects.get()
    deploy(admin_client, mood, crops_of=first.pk)
    second = Deployment.objects.get(version=mood)

    response = deploy(
        admin_client,
        qr,
        dock,
        path=f"/admin/inference/deployment/{first.pk}/change/",
        crops_of=second.pk,
    )

    refused(response, "crops_of", "A model cannot see what it finds itself")


def test_the_short_form_still_does(admin_client: Client, qr: ModelVersion, dock: Camera) -> None:
    form = {
        "version": qr.pk,
        "cameras": [dock.pk],
        "role": "live",
        "delivery": "latest",
        "threshold": "0",
        "enabled": "on",
    }

    assert admin_client.post(ADD, form).status_code == 302

    deployment = Deployment.objects.get()
    assert (deployment.kind, deployment.batch, deployment.batch_ms) == ("pictures", 1, 5)


def test_the_page_takes_back_what_it_shows(
    admin_client: Client, qr: ModelVersion, mood: ModelVersion, dock: Camera
) -> None:
    deploy(admin_client, qr, dock)
    first = Deployment.objects.get()
    deploy(admin_client, mood, dock, crops_of=first.pk, crop_label="face", batch="8")
    second = Deployment.objects.get(version=mood)
    path = f"/admin/inference/deployment/{second.pk}/change/"

    shown = form_values(admin_client.get(path).content.decode())

    assert admin_client.post(path, {**shown, "cameras": [dock.pk]}).status_code == 302
    second.refresh_from_db()
    assert (second.crops_of, second.crop_label, second.batch, second.enabled) == (
        first,
        "face",
        8,
        True,
    )


def test_a_first_stage_cannot_be_deleted_alone(
    admin_client: Client, qr: ModelVersion, mood: ModelVersion, dock: Camera
) -> None:
    deploy(admin_client, qr, dock)
    first = Deployment.objects.get()
    deploy(admin_client, mood, crops_of=first.pk)
    second = Deployment.objects.get(version=mood)
    chosen = {"action": "delete_selected", "post": "yes"}

    for response in (
        admin_client.post(f"/admin/inference/deployment/{first.pk}/delete/", {"post": "yes"}),
        admin_client.post(f"/admin/inference/model/{qr.model.pk}/delete/", {"post": "yes"}),
        admin_client.post(
            "/admin/inference/deployment/", {**chosen, "_selected_action": [first.pk]}
        ),
    ):
        assert "the deployments below see the boxes that it finds" in response.text
        assert f'href="/admin/inference/deployment/{second.pk}/change/"' in response.text
    assert Deployment.objects.count() == 2

    admin_client.post(
        "/admin/inference/deployment/", {**chosen, "_selected_action": [first.pk, second.pk]}
    )
    assert not Deployment.objects.exists()


def test_a_group_and_all_cameras_are_chosen_and_checked(
    admin_client: Client, qr: ModelVersion, dock: Camera
) -> None:
    hall = CameraGroup.objects.create(slug="hall", name="Hall")
    hall.cameras.add(dock)

    assert deploy(admin_client, qr, groups=[hall.pk]).status_code == 302
    refused(deploy(admin_client, qr, all_cameras="on"), "cameras", f"already sees {dock.name}")
    assert "group Hall" in admin_client.get("/admin/inference/deployment/").content.decode()

    Deployment.objects.all().delete()
    assert deploy(admin_client, qr, all_cameras="on").status_code == 302
    assert "all cameras" in admin_client.get("/admin/inference/deployment/").content.decode()
