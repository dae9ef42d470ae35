"""The system page counts what the system is there for: cameras and models."""

from __future__ import annotations

import time

import pytest

from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion
from sightline.messages import CameraState, CameraStatus, ModelState, ModelStatus
from streaming.hub.hub import Hub
from streaming.hub.states import CameraReport
from streaming.system.parts import Finding, Level, Part
from streaming.system.report import overall
from streaming.system.watched import cameras, models, parts, watched


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """One that reads nothing: the tests say what has been reported."""
    hub = Hub()
    monkeypatch.setattr(hub, "start", lambda: None)
    return hub


def report_camera(hub: Hub, slug: str, state: CameraState) -> None:
    now = time.time_ns()
    hub.reports[slug] = CameraReport(CameraStatus(slug, state, now, now), time.monotonic())


def report_model(hub: Hub, model: str, state: ModelState, worker: str = "infer-1") -> None:
    now = time.time_ns()
    hub.models.add(ModelStatus(model, "1", state, since=now, at=now, worker=worker))


def lines(part: Part) -> list[tuple[Level, str]]:
    return [(finding.level, finding.text) for finding in part.findings]


def test_cameras_are_counted_and_those_that_fail_are_named(hub: Hub) -> None:
    for slug, state in (
        ("dock", CameraState.LIVE),
        ("gate", CameraState.DEGRADED),
        ("yard", CameraState.UNREACHABLE),
        ("hall", CameraState.STALLED),
    ):
        report_camera(hub, slug, state)
    part = cameras(hub, {slug: slug.title() for slug in ("dock", "gate", "yard", "hall", "shed")})

    assert (part.words, part.level, part.href) == ("2 of 5 live.", Level.BAD, "/")
    assert lines(part) == [
        (Level.WARN, "Send nothing: Hall."),
        (Level.BAD, "Cannot be reached: Yard."),
        (Level.BAD, "Reported by no worker: Shed."),
    ]
    assert overall([part]) == (Level.BAD, "Needs somebody now: Cameras.")


def test_models_are_counted_with_the_worst_that_a_worker_says(hub: Hub) -> None:
    report_model(hub, "qr", ModelState.RUNNING)
    report_model(hub, "people", ModelState.RUNNING)
    report_model(hub, "people", ModelState.FAILING, worker="infer-2")
    part = models(hub, [("qr", "1"), ("people", "1"), ("faces", "1")])

    assert (part.words, part.level) == ("1 of 3 work.", Level.BAD)
    assert lines(part) == [
        (Level.BAD, "Fail: people 1."),
        (Level.BAD, "Reported by no worker: faces 1."),
    ]


def test_many_names_are_cut(hub: Hub) -> None:
    part = cameras(hub, {f"c{number}": f"Camera {number:02}" for number in range(30)})
    assert part.findings == (
        Finding(
            Level.BAD,
            "Reported by no worker: Camera 00, Camera 01, Camera 02, Camera 03, Camera 04,"
            " Camera 05, Camera 06, Camera 07 and 22 more.",
        ),
    )


@pytest.mark.django_db
def test_only_what_should_work_is_counted() -> None:
    on = Camera.objects.create(slug="on", name="On", kind="demo", url="demo:conveyor")
    Camera.objects.create(slug="off", name="Off", kind="demo", url="demo:conveyor", enabled=False)
    model = Model.objects.create(slug="qr", name="QR codes")
    for version, enabled in (("1", True), ("2", False)):
        made = ModelVersion.objects.create(model=model, version=version, runtime="builtin-qr")
        Deployment.objects.create(version=made, enabled=enabled).cameras.add(on)

    found = watched()
    assert found.cameras == {"on": "On"}
    assert found.versions == (("qr", "1"),)


def test_what_is_not_known_is_not_said_to_work(hub: Hub) -> None:
    for found in (parts(hub, lambda: None, known=True), parts(hub, watched_nothing, known=False)):
        assert [part.level for part in found] == [Level.WAIT, Level.WAIT]


def watched_nothing() -> None:
    return None
