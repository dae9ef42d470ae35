from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from inference.models import Deployment, Model, ModelVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> Model:
    return Model.objects.create(slug="qr", name="QR codes")


@pytest.mark.parametrize("version", ["1", "2-1", "2026_05", "v1"])
def test_a_version_can_be_part_of_a_topics_name(model: Model, version: str) -> None:
    ModelVersion(model=model, version=version, runtime="builtin-qr").full_clean()


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("version", {"version": "1.0"}),
        ("version", {"version": "x" * 33}),
        ("version", {"version": "../1"}),
        ("runtime", {"runtime": "abacus"}),
        ("options", {"options": {"colour": "red"}}),
        ("options", {"options": [1]}),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    model: Model, field: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelVersion(
            **{"model": model, "version": "1", "runtime": "builtin-qr", **fields}
        ).full_clean()

    assert field in caught.value.message_dict


def test_a_version_exists_once(model: Model) -> None:
    ModelVersion.objects.create(model=model, version="1", runtime="builtin-qr")

    with pytest.raises(IntegrityError):
        ModelVersion.objects.create(model=model, version="1", runtime="builtin-motion")


def test_a_models_slug_never_changes(model: Model) -> None:
    model.slug = "codes"

    with pytest.raises(ValidationError, match="cannot be changed"):
        model.save()


@pytest.mark.parametrize("slug", ["QR", "a.b", "admin"])
def test_a_models_slug_names_topics(slug: str) -> None:
    with pytest.raises(ValidationError):
        Model(slug=slug, name="x").full_clean()


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_threshold_is_a_score(model: Model, threshold: float) -> None:
    version = ModelVersion.objects.create(model=model, version="1", runtime="builtin-qr")

    with pytest.raises(ValidationError):
        Deployment(version=version, threshold=threshold).full_clean()
