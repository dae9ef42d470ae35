from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from cameras import health, probe, tasks
from cameras.health import NO_WORKER
from cameras.models import Camera, Health, Outage
from cameras.tasks import probe_camera, prune_outages, record_health
from sightline.kafka import Admin, Producer, topics
from sightline.messages import CameraState, CameraStatus

pytestmark = pytest.mark.django_db
SECOND = 1_000_000_000


@pytest.fixture
def camera() -> Camera:
    return Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor")


@pytest.fixture
def kafka(embedded: str) -> None:
    Admin().ensure([topics.status()])


def report(state: CameraState, since: int = 0, at: int = 0, detail: str = "") -> datetime:
    """Publish a status as the capture worker does; ``since`` and ``at`` are seconds ago. Returns
    when the state began.
    """
    now = time.time_ns()
    status = CameraStatus("dock", state, now - since * SECOND, now - at * SECOND, detail)
    producer = Producer()
    producer.send(topics.status(), status.to_json(), key=status.key)
    producer.flush(10)
    return datetime.fromtimestamp(status.since / 1e9, UTC)


def outages() -> list[dict[str, Any]]:
    return [
        dict(item)
        for item in Outage.objects.order_by("started_at").values(
            "state", "detail", "started_at", "ended_at"
        )
    ]


@pytest.mark.usefixtures("kafka")
def test_the_state_is_recorded(camera: Camera) -> None:
    since = report(CameraState.LIVE, since=30)
    record_health()

    health = Health.objects.get()
    assert (health.camera, health.state, health.since, health.detail) == (camera, "live", since, "")
    assert outages() == []


@pytest.mark.usefixtures("kafka", "camera")
def test_an_outage_opens_once_and_closes() -> None:
    down = report(CameraState.UNREACHABLE, since=30, detail="It does not answer.")
    record_health()
    record_health()
    assert outages() == [
        {
            "state": "unreachable",
            "detail": "It does not answer.",
            "started_at": down,
            "ended_at": None,
        }
    ]

    up = report(CameraState.LIVE, since=5)
    record_health()
    record_health()
    assert outages() == [
        {
            "state": "unreachable",
            "detail": "It does not answer.",
            "started_at": down,
            "ended_at": up,
        }
    ]


@pytest.mark.usefixtures("kafka", "camera")
def test_an_outage_tells_its_newest_reason() -> None:
    report(CameraState.UNREACHABLE, detail="It does not answer.")
    record_health()
    report(CameraState.AUTH_FAILED, detail="Wrong password.")
    record_health()

    assert [(item["state"], item["detail"]) for item in outages()] == [
        ("auth-failed", "Wrong password.")
    ]


@pytest.mark.usefixtures("kafka", "camera")
def test_connecting_is_no_outage_and_does_not_end_one() -> None:
    report(CameraState.CONNECTING)
    record_health()
    assert outages() == []

    report(CameraState.STALLED)
    record_health()
    report(CameraState.CONNECTING)
    record_health()
    assert [item["ended_at"] for item in outages()] == [None]


@pytest.mark.usefixtures("kafka")
def test_switching_a_camera_off_ends_its_outage(camera: Camera) -> None:
    report(CameraState.UNREACHABLE, since=60)
    record_health()
    camera.enabled = False
    camera.save()
    before = timezone.now()
    record_health()

    assert Health.objects.get().state == "disabled"
    assert before <= outages()[0]["ended_at"] <= timezone.now()


@pytest.mark.usefixtures("kafka", "camera")
def test_a_camera_that_nobody_reports_is_out_after_two_rounds() -> None:
    record_health()
    assert (Health.objects.get().state, Health.objects.get().detail) == ("unknown", NO_WORKER)
    assert outages() == []

    record_health()
    assert [(item["state"], item["detail"]) for item in outages()] == [("unknown", NO_WORKER)]


@pytest.mark.usefixtures("kafka", "camera")
def test_a_report_that_is_old_is_no_report_and_outages_never_end_before_they_began() -> None:
    report(CameraState.LIVE, since=600, at=60)
    record_health()
    record_health()
    assert [item["state"] for item in outages()] == ["unknown"]

    report(CameraState.LIVE, since=600)
    record_health()
    assert outages()[0]["started_at"] < outages()[0]["ended_at"] <= timezone.now()


@pytest.mark.usefixtures("kafka", "camera")
def test_foreign_text_and_times_stop_no_round() -> None:
    Camera.objects.create(slug="zoo", name="Zoo", kind="demo", url="demo:conveyor")
    report(CameraState.UNREACHABLE, since=2**33, detail="half a pair \ud800, NUL \0" + "x" * 999)
    record_health()

    assert Health.objects.get(camera__slug="dock").detail.startswith("half a pair ?, NUL xxx")
    assert Health.objects.get(camera__slug="zoo").state == "unknown"


def test_many_cameras_take_as_many_statements_as_one(django_assert_max_num_queries: Any) -> None:
    names = [f"c{number}" for number in range(300)]
    Camera.objects.bulk_create(
        Camera(slug=name, name=name, kind="demo", url="demo:conveyor") for name in names
    )
    now = time.time_ns()
    cameras = list(Camera.objects.all())

    def states(state: CameraState) -> dict[str, CameraStatus]:
        return {name: CameraStatus(name, state, now, now) for name in names}

    with django_assert_max_num_queries(16):
        assert health.record(cameras, states(CameraState.UNREACHABLE)) == 300
    assert Outage.objects.filter(ended_at=None).count() == 300
    with django_assert_max_num_queries(16):
        assert health.record(cameras, states(CameraState.LIVE)) == 300
    assert not Outage.objects.filter(ended_at=None).exists()
    with django_assert_max_num_queries(4):  # two to read, two around nothing
        assert health.record(cameras, states(CameraState.LIVE)) == 0


@pytest.mark.parametrize("address", ["", "nowhere"])
def test_without_kafka_nothing_is_known_and_nothing_changes(
    camera: Camera, settings: Settings, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    Health.objects.create(camera=camera, state="live", since=timezone.now())
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:9" if address else ""
    monkeypatch.setattr("sightline.kafka.reader.ASK_SECONDS", 0.2)

    record_health()
    record_health()

    assert Health.objects.get().state == "live"
    assert outages() == []


def test_old_outages_are_forgotten(camera: Camera) -> None:
    now = timezone.now()
    for ended in (now - timedelta(days=91), now - timedelta(days=89)):
        Outage.objects.create(
            camera=camera, state="stalled", started_at=now - timedelta(days=100), ended_at=ended
        )
    Outage.objects.create(camera=camera, state="stalled", started_at=now - timedelta(days=100))

    prune_outages()

    assert {outage.ended_at for outage in Outage.objects.all()} == {now - timedelta(days=89), None}


def test_a_probe_is_kept_beside_the_state(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "WATCH_SECONDS", 0.2)
    Health.objects.create(camera=camera, state="live", detail="kept")

    probe_camera(camera.pk)

    health = Health.objects.get()
    assert (health.state, health.detail, health.codec, health.width, health.probe_error) == (
        "live",
        "kept",
        "demo",
        1280,
        "",
    )
    assert bytes(health.thumbnail).startswith(b"\xff\xd8")
    assert health.probed_at is not None


def test_a_camera_that_is_gone_is_not_probed(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deleted_meanwhile(camera: Camera) -> probe.ProbeResult:
        Camera.objects.all().delete()
        return probe.ProbeResult(codec="demo")

    monkeypatch.setattr(tasks, "probe", deleted_meanwhile)
    probe_camera(camera.pk)
    probe_camera(camera.pk)

    assert not Health.objects.exists()
