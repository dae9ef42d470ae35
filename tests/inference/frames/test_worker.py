from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

import cv2
import pytest

from cameras.models import Camera
from inference import runtimes
from inference.frames import worker as infer
from inference.frames.worker import InferWorker
from inference.models import Deployment, Model, ModelVersion
from inference.plans import FramePlan
from inference.runner import worker as runner_worker
from sightline.kafka import topics
from sightline.messages import ModelState, ModelStatus
from tests.inference.fakes import FakeRuntime, plan
from tests.servers.waiting import wait_until
from tests.support import Reader, reading

pytestmark = pytest.mark.usefixtures("embedded")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeRuntime]:
    """The runtimes that were made."""
    made: list[FakeRuntime] = []

    def create(*_: object, **__: object) -> FakeRuntime:
        made.append(FakeRuntime())
        return made[-1]

    monkeypatch.setattr(runtimes, "create", create)
    return made


@pytest.fixture
def worker(made: list[FakeRuntime]) -> Iterator[InferWorker]:
    worker = InferWorker()
    yield worker
    worker.close()
    worker.producer.flush(5)
    assert all(runtime.closes == runtime.loads for runtime in made)


def plans(*items: FramePlan) -> dict[str, FramePlan]:
    return {item.key: item for item in items}


def loaded(made: list[FakeRuntime], count: int) -> None:
    wait_until(
        lambda: len(made) == count and all(runtime.loads for runtime in made),
        what=f"{count} models to be loaded",
    )


def test_each_model_version_gets_a_pipeline(worker: InferWorker, made: list[FakeRuntime]) -> None:
    worker.follow(plans(plan("dock", model="a"), plan("dock", model="b")))

    loaded(made, 2)
    assert worker.runners.keys() == {"a@1", "b@1"}
    assert worker.counters() == {
        "models": 2,
        "predicted": 0,
        "failed": 0,
        "errors": 0,
        "skipped": 0,
    }


def test_other_cameras_do_not_load_the_model_again(
    worker: InferWorker, made: list[FakeRuntime]
) -> None:
    worker.follow(plans(plan("dock")))
    pipeline = worker.runners["fake@1"]
    loaded(made, 1)
    worker.follow(plans(plan("dock", "gate", threshold=0.5)))

    assert worker.runners == {"fake@1": pipeline}
    assert pipeline.plan.cameras == {"dock", "gate"}
    assert len(made) == 1


def test_other_options_load_it_again_once_the_old_one_has_ended(
    worker: InferWorker, made: list[FakeRuntime]
) -> None:
    worker.follow(plans(plan("dock")))
    loaded(made, 1)
    changed = plans(replace(plan("dock"), options='{"width": 320}'))

    def followed() -> bool:
        worker.follow(changed)
        return "fake@1" in worker.runners

    wait_until(followed, what="a new pipeline")
    loaded(made, 2)
    assert made[0].closes == 1
    assert worker.runners["fake@1"].plan == changed["fake@1"]


@pytest.mark.django_db
def test_each_model_is_reported_and_its_end_too(
    worker: InferWorker, made: list[FakeRuntime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_worker, "RECONCILE_SECONDS", 0.05)
    monkeypatch.setattr(infer, "frame_plans", lambda: plans(plan("dock")))

    def stepped() -> list[ModelStatus | None]:
        worker.step()
        return states(reader)

    with reading(topics.status()) as reader:
        wait_until(
            lambda: any(
                item and item.state is ModelState.RUNNING and item.worker == worker.name
                for item in stepped()
            ),
            what="a report",
        )
        monkeypatch.setattr(infer, "frame_plans", dict)
        wait_until(lambda: stepped()[-1] is None, what="the last report, without a value")
    assert len(made) == 1


def states(reader: Reader) -> list[ModelStatus | None]:
    """What was reported of the model."""
    return [
        ModelStatus.from_json(record.value) if record.value else None
        for record in reader.read()
        if record.key == b"model/fake@1"
    ]


def test_what_is_not_wanted_any_more_ends(worker: InferWorker, made: list[FakeRuntime]) -> None:
    worker.follow(plans(plan("dock", model="a"), plan("dock", model="b")))
    loaded(made, 2)
    kept = worker.runners["b@1"]

    worker.follow(plans(plan("dock", model="b")))

    assert worker.runners == {"b@1": kept}
    wait_until(
        lambda: sorted(runtime.closes for runtime in made) == [0, 1], what="the other to be closed"
    )


@pytest.mark.django_db
def test_a_step_follows_the_database(
    worker: InferWorker, made: list[FakeRuntime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_worker, "RECONCILE_SECONDS", 0.01)
    version = ModelVersion.objects.create(
        model=Model.objects.create(slug="qr", name="QR"), version="1", runtime="builtin-qr"
    )
    deployment = Deployment.objects.create(version=version)
    worker.step()
    assert worker.runners == {}

    deployment.cameras.add(
        Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor")
    )
    worker.step()
    assert worker.runners["qr@1"].plan.cameras == {"dock"}

    Camera.objects.update(enabled=False)
    worker.step()
    assert worker.runners == {}


def test_opencv_does_not_fight_over_the_cores(worker: InferWorker) -> None:
    before, interval = cv2.getNumThreads(), sys.getswitchinterval()
    worker.open()

    assert cv2.getNumThreads() == 1
    cv2.setNumThreads(before)
    sys.setswitchinterval(interval)
