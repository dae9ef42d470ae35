from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion
from tests.inference.forms.conftest import upload

pytestmark = pytest.mark.django_db
ADD = "/admin/inference/modelversion/add/"


def page_of(version: ModelVersion) -> str:
    return f"/admin/inference/modelversion/{version.pk}/change/"


def test_a_model_shows_its_versions_and_where_they_run(
    admin_client: Client, qr: ModelVersion, dock: Camera
) -> None:
    deployment = Deployment.objects.create(version=qr, role="shadow")
    deployment.cameras.add(dock)

    page = admin_client.get(f"/admin/inference/model/{qr.model_id}/change/").content.decode()

    for link in (
        page_of(qr),
        f"/admin/inference/deployment/{deployment.pk}/change/",
        f"/admin/inference/model/{qr.model_id}/deadletters/1/",
    ):
        assert f'href="{link}"' in page
    assert "Dock</a>" in page
    assert "shadow" in page
    assert 'name="slug"' not in page


def test_a_further_version_begins_as_the_newest(admin_client: Client, qr: ModelVersion) -> None:
    ModelVersion.objects.create(
        model=qr.model, version="v9", runtime="builtin-faces", options={"width": 333}
    )

    page = admin_client.get(f"{ADD}?model={qr.model_id}").content.decode()

    assert 'value="v10"' in page
    assert 'value="333"' in page
    assert (
        'value="builtin-faces" id="id_runtime_2" required checked' in page
        or 'value="builtin-faces" id="id_runtime_2" checked' in page
    )


def test_a_further_version_is_added_and_leads_back_to_its_model(
    admin_client: Client, qr: ModelVersion
) -> None:
    form = {
        "model": qr.model_id,
        "version": "2",
        "runtime": "builtin-qr",
        "sees": "pictures",
        "options_as": "fields",
        "o-builtin-qr-width": "900",
    }

    response = admin_client.post(ADD, form)

    assert response.headers["Location"] == f"/admin/inference/model/{qr.model_id}/change/"
    assert ModelVersion.objects.get(version="2").options == {"width": 900}


def test_a_version_is_there_once(admin_client: Client, qr: ModelVersion) -> None:
    form = {
        "model": qr.model_id,
        "version": "1",
        "runtime": "builtin-qr",
        "sees": "pictures",
        "options_as": "fields",
    }
    assert "already exists" in admin_client.post(ADD, form).content.decode()


def test_a_version_keeps_its_name(admin_client: Client, qr: ModelVersion) -> None:
    form = {
        "version": "7",
        "runtime": "builtin-qr",
        "sees": "pictures",
        "options_as": "fields",
        "o-builtin-qr-width": "700",
    }

    assert admin_client.post(page_of(qr), form).status_code == 302

    qr.refresh_from_db()
    assert (qr.version, qr.options) == ("1", {"width": 700})


def test_a_stored_file_stays_until_another_is_uploaded(
    admin_client: Client, squares: Path, db: None
) -> None:
    model = Model.objects.create(slug="squares", name="Squares")
    form = {
        "model": model.pk,
        "version": "1",
        "runtime": "onnx",
        "sees": "pictures",
        "options_as": "fields",
    }
    admin_client.post(ADD, {**form, "file": upload(squares)})
    version = ModelVersion.objects.get()
    first = version.file.name

    assert admin_client.post(page_of(version), {**form, "o-onnx-threads": "1"}).status_code == 302
    version.refresh_from_db()
    assert (version.file.name, version.options) == (first, {"threads": 1})
    assert version.sha256 in admin_client.get(page_of(version)).content.decode()

    assert (
        "not an ONNX model"
        in admin_client.post(
            page_of(version), {**form, "file": upload(Path(__file__))}
        ).content.decode()
    )
    version.refresh_from_db()
    assert version.file.name == first


def test_a_versions_page_names_its_topics(admin_client: Client, qr: ModelVersion) -> None:
    page = admin_client.get(page_of(qr)).content.decode()
    assert "models.qr.1.inputs</code>" in page
    assert f"/admin/inference/deployment/add/?version={qr.pk}" in page


def test_options_that_have_no_field_are_shown_as_json(
    admin_client: Client, qr: ModelVersion
) -> None:
    ModelVersion.objects.filter(pk=qr.pk).update(options={"colour": "red"})

    page = admin_client.get(page_of(qr)).content.decode()

    assert 'value="json" id="id_options_as_1" checked' in page
    assert "&quot;colour&quot;: &quot;red&quot;" in page


def test_versions_are_reached_by_their_models(admin_client: Client, qr: ModelVersion) -> None:
    assert "modelversion" not in admin_client.get("/admin/").content.decode()
