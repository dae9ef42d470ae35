from __future__ import annotations

from typing import Any

import pytest

from cameras.models import Camera
from inference.lane import same_model
from inference.models import Deployment, Model, ModelVersion
from inference.plans import View, version_plans

pytestmark = pytest.mark.django_db


def camera(slug: str, **fields: Any) -> Camera:
    return Camera.objects.create(slug=slug, name=slug, kind="demo", url="demo:conveyor", **fields)


def version(model: str = "qr", **fields: Any) -> ModelVersion:
    made, _ = Model.objects.get_or_create(slug=model, defaults={"name": model})
    return ModelVersion.objects.create(model=made, **{"version": "1", "runtime": "builtin-qr", **fields})


def deploy(of: ModelVersion, *cameras: Camera, **fields: Any) -> Deployment:
    deployment = Deployment.objects.create(version=of, **fields)
    deployment.cameras.set(cameras)
    return deployment


def test_a_deployed_version_has_a_plan() -> None:
    deploy(version(options={"width": 640}), camera("dock"), camera("gate"), threshold=0.5)

    plan = version_plans()["qr@1"]

    assert (plan.model, plan.version, plan.runtime, plan.option_values) == ("qr", "1", "builtin-qr", {"width": 640})
    assert plan.cameras == {"dock", "gate"}
    assert dict(plan.views) == {"dock": View("live", 0.5), "gate": View("live", 0.5)}


def test_what_is_switched_off_has_none() -> None:
    dock, off = camera("dock"), camera("off", enabled=False)
    deploy(version("a"), dock, enabled=False)
    deploy(version("b"), off)
    deploy(version("c"))
    version("d")
    deploy(version("e"), dock, off)

    plans = version_plans()

    assert plans.keys() == {"e@1"}
    assert plans["e@1"].cameras == {"dock"}


def test_several_deployments_of_a_version_make_one_plan() -> None:
    qr, dock, gate = version(), camera("dock"), camera("gate")
    deploy(qr, dock, threshold=0.2)
    deploy(qr, gate, role="shadow", threshold=0.7)

    assert dict(version_plans()["qr@1"].views) == {"dock": View("live", 0.2), "gate": View("shadow", 0.7)}


def test_of_two_roles_on_one_camera_live_counts() -> None:
    qr, dock = version(), camera("dock")
    deploy(qr, dock, role="live", threshold=0.2)
    deploy(qr, dock, role="shadow", threshold=0.7)

    assert dict(version_plans()["qr@1"].views) == {"dock": View("live", 0.2)}


def test_versions_of_one_model_have_plans_of_their_own() -> None:
    dock = camera("dock")
    deploy(version(), dock)
    deploy(version(version="2"), dock, role="shadow")

    assert version_plans().keys() == {"qr@1", "qr@2"}


def test_a_model_is_loaded_again_for_what_runs_it_only() -> None:
    qr, dock, gate = version(), camera("dock"), camera("gate")
    deployment = deploy(qr, dock)
    before = version_plans()["qr@1"]

    deployment.cameras.add(gate)
    deployment.threshold = 0.9
    deployment.save()
    other_views = version_plans()["qr@1"]
    qr.options = {"width": 320}
    qr.save()
    other_options = version_plans()["qr@1"]

    assert other_views != before
    assert same_model(before, other_views)
    assert not same_model(before, other_options)


@pytest.mark.parametrize("count", [1, 5])
def test_it_asks_the_database_a_few_questions_whatever_there_is(count: int, django_assert_max_num_queries: Any) -> None:
    cameras = [camera(f"camera-{number}") for number in range(count)]
    for number in range(count):
        deploy(version(f"model-{number}"), *cameras)

    with django_assert_max_num_queries(2):
        assert len(version_plans()) == count
