from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from pytest_django import Settings

from cameras.models import Camera, CameraGroup
from inference.models import Deployment, InputKind, Model, ModelVersion, Role
from inference.plans import CameraDeployment, frame_plans

pytestmark = pytest.mark.django_db


def camera(slug: str, **fields: Any) -> Camera:
    return Camera.objects.create(slug=slug, name=slug, kind="demo", url="demo:conveyor", **fields)


def version(model: str = "qr", **fields: Any) -> ModelVersion:
    made, _ = Model.objects.get_or_create(slug=model, defaults={"name": model})
    return ModelVersion.objects.create(
        model=made, **{"version": "1", "runtime": "builtin-qr", **fields}
    )


def deploy(of: ModelVersion, *cameras: Camera, **fields: Any) -> Deployment:
    deployment = Deployment.objects.create(version=of, **fields)
    deployment.cameras.set(cameras)
    return deployment


def test_a_deployed_version_has_a_plan() -> None:
    deploy(version(options={"width": 640}), camera("dock"), camera("gate"), threshold=0.5)

    plan = frame_plans()["qr@1"]

    assert (plan.model, plan.version, plan.runtime, plan.option_values) == (
        "qr",
        "1",
        "builtin-qr",
        {"width": 640},
    )
    assert plan.cameras == {"dock", "gate"}
    assert dict(plan.deployments) == {
        "dock": CameraDeployment("live", 0.5),
        "gate": CameraDeployment("live", 0.5),
    }


def test_what_is_switched_off_has_none() -> None:
    dock, off = camera("dock"), camera("off", enabled=False)
    deploy(version("a"), dock, enabled=False)
    deploy(version("b"), off)
    deploy(version("c"))
    version("d")
    deploy(version("e"), dock, off)

    plans = frame_plans()

    assert plans.keys() == {"e@1"}
    assert plans["e@1"].cameras == {"dock"}


def test_several_deployments_of_a_version_make_one_plan() -> None:
    qr, dock, gate = version(), camera("dock"), camera("gate")
    deploy(qr, dock, threshold=0.2)
    deploy(qr, gate, role="shadow", threshold=0.7)

    assert dict(frame_plans()["qr@1"].deployments) == {
        "dock": CameraDeployment("live", 0.2),
        "gate": CameraDeployment("shadow", 0.7),
    }


def test_of_two_roles_on_one_camera_live_counts() -> None:
    qr, dock = version(), camera("dock")
    deploy(qr, dock, role="live", threshold=0.2)
    deploy(qr, dock, role="shadow", threshold=0.7)

    assert dict(frame_plans()["qr@1"].deployments) == {"dock": CameraDeployment("live", 0.2)}


def test_versions_of_one_model_have_plans_of_their_own() -> None:
    dock = camera("dock")
    deploy(version(), dock)
    deploy(version(version="2"), dock, role="shadow")

    assert frame_plans().keys() == {"qr@1", "qr@2"}


def test_a_model_is_loaded_again_for_what_runs_it_only() -> None:
    qr, dock, gate = version(), camera("dock"), camera("gate")
    deployment = deploy(qr, dock)
    before = frame_plans()["qr@1"]

    deployment.cameras.add(gate)
    deployment.threshold = 0.9
    deployment.save()
    other_deployments = frame_plans()["qr@1"]
    qr.options = {"width": 320}
    qr.save()
    other_options = frame_plans()["qr@1"]

    assert other_deployments != before
    assert before.runs_as(other_deployments)
    assert not before.runs_as(other_options)


@pytest.mark.parametrize("count", [1, 5])
def test_it_asks_the_database_a_few_questions_whatever_there_is(
    count: int, django_assert_max_num_queries: Any
) -> None:
    cameras = [camera(f"camera-{number}") for number in range(count)]
    for number in range(count):
        deploy(version(f"model-{number}"), *cameras)

    with django_assert_max_num_queries(3):
        assert len(frame_plans()) == count


def test_deployments_that_are_switched_off_and_those_of_records_are_left_out() -> None:
    gate = camera("gate")
    deploy(version("off"), gate, enabled=False)
    deploy(version("iris"), gate, kind=InputKind.RECORDS)
    assert frame_plans() == {}


def test_a_plan_is_a_value() -> None:
    deploy(version("motion"), camera("gate"))
    first, second = frame_plans()["motion@1"], frame_plans()["motion@1"]
    assert first == second
    assert len({first, second}) == 1
    first.create().close()


def test_other_cameras_and_batches_do_not_load_the_model_again_but_options_and_files_do() -> None:
    deploy(version("motion"), camera("gate"))
    plan = frame_plans()["motion@1"]
    assert plan.runs_as(replace(plan, deployments=(), batch=8, batch_ms=50))
    assert not plan.runs_as(replace(plan, options='{"width": 320}'))
    assert not plan.runs_as(replace(plan, sha256="0" * 64))


def test_a_second_stage_sees_the_cameras_of_its_first_stage() -> None:
    gate, yard = camera("gate"), camera("yard")
    faces = deploy(version("faces"), gate, yard)
    deploy(version("mood"), crops_of=faces, crop_label="face", role=Role.SHADOW)
    assert frame_plans()["mood@1"].by_camera == dict.fromkeys(
        ("gate", "yard"), CameraDeployment("shadow", 0.0, "faces@1", "face")
    )


def test_a_second_stage_with_cameras_of_its_own_sees_only_these_of_the_first_stages() -> None:
    gate, yard, dock = camera("gate"), camera("yard"), camera("dock")
    deploy(version("mood"), yard, dock, crops_of=deploy(version("faces"), gate, yard))
    assert frame_plans()["mood@1"].cameras == {"yard"}


def test_a_third_stage_follows_the_second() -> None:
    second = deploy(version("mood"), crops_of=deploy(version("faces"), camera("gate")))
    deploy(version("words"), crops_of=second)
    assert frame_plans()["words@1"].by_camera["gate"].crops_of == "mood@1"


def test_a_second_stage_whose_first_is_switched_off_has_nothing_to_do() -> None:
    deploy(
        version("mood"),
        camera("gate"),
        crops_of=deploy(version("faces"), camera("yard"), enabled=False),
    )
    assert frame_plans() == {}


def test_stages_that_go_round_in_a_circle_have_nothing_to_do() -> None:
    gate = camera("gate")
    first = deploy(version("faces"), gate)
    second = deploy(version("mood"), gate, crops_of=first)
    Deployment.objects.filter(pk=first.pk).update(crops_of=second)
    assert frame_plans() == {}


def test_a_circle_is_refused_in_plain_words() -> None:
    gate = camera("gate")
    first = deploy(version("faces"), gate)
    second = deploy(version("mood"), crops_of=first)
    first.crops_of = second
    with pytest.raises(ValidationError, match="cannot see what it finds itself"):
        first.full_clean()
    with pytest.raises(ValidationError, match="cannot see what it finds itself"):
        Deployment(version=second.version, crops_of=second).full_clean()
    with pytest.raises(ValidationError, match="Only pictures have boxes"):
        Deployment(version=version("iris"), crops_of=second, kind=InputKind.RECORDS).full_clean()


def test_a_file_is_part_of_the_plan(tmp_path: Path, settings: Settings) -> None:
    settings.MEDIA_ROOT = tmp_path
    deployment = deploy(version("digits"), camera("gate"))
    found = deployment.version
    found.file.save("digits.onnx", ContentFile(b"onnx"))
    ModelVersion.objects.filter(pk=found.pk).update(sha256="ab" * 32)
    plan = frame_plans()["digits@1"]
    assert Path(plan.file).read_bytes() == b"onnx"
    assert plan.sha256 == "ab" * 32


def group(slug: str, *cameras: Camera) -> CameraGroup:
    made = CameraGroup.objects.create(slug=slug, name=slug)
    made.cameras.set(cameras)
    return made


def test_a_camera_that_joins_a_group_later_is_seen() -> None:
    hall = group("hall", camera("dock"))
    deploy(version(), camera("gate")).groups.add(hall)
    assert frame_plans()["qr@1"].cameras == {"dock", "gate"}

    hall.cameras.add(camera("ramp"))
    assert frame_plans()["qr@1"].cameras == {"dock", "gate", "ramp"}

    hall.delete()
    assert frame_plans()["qr@1"].cameras == {"gate"}


def test_all_cameras_are_also_those_that_are_added_later() -> None:
    deploy(version(), all_cameras=True)
    assert not frame_plans()

    camera("dock")
    camera("off", enabled=False)
    assert frame_plans()["qr@1"].cameras == {"dock"}
    assert frame_plans(disabled_cameras=True)["qr@1"].cameras == {"dock", "off"}


def test_a_second_stage_on_an_empty_group_sees_none() -> None:
    first = deploy(version("faces"), camera("dock"))
    deploy(version("mood"), crops_of=first).groups.add(group("empty"))

    assert frame_plans().keys() == {"faces@1"}


def test_the_queries_do_not_grow_with_deployments(
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for number in range(12):
        hall = group(f"hall-{number}", *(camera(f"c{number}-{place}") for place in range(3)))
        deploy(version(f"listed-{number}")).groups.add(hall)
        deploy(version(f"all-{number}"), all_cameras=True)

    with django_assert_max_num_queries(5):
        assert len(frame_plans()) == 24
