"""The history that charts show, out of real topics."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera as CameraRow
from inference.models import Model, ModelVersion
from sightline.kafka import Producer, topics
from sightline.kafka.topics import Topic
from sightline.messages import CameraState
from sightline.messages.history import CaptureHistory, ModelHistory, Quantiles
from streaming.history import documents as history
from streaming.history import views as history_views
from tests.servers.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = 1_000_000_000


@pytest.fixture
def viewer(producer: Producer) -> Client:
    """Somebody who is logged in. No answer is remembered."""
    history_views.documents.clear()
    CameraRow.objects.create(slug="gate", name="Gate", kind="demo", url="demo:conveyor")
    client = Client()
    client.force_login(User.objects.create_user("olga"))
    return client


@pytest.fixture
def tell(producer: Producer) -> Callable[..., None]:
    """Sends what workers would have sent some seconds ago."""

    def tell(topic: Topic, key: str, said: Any, ago: float) -> None:
        value = (
            said if isinstance(said, bytes) else said(round((time.time() - ago) * SECOND)).to_json()
        )
        assert producer.send(topic, value, key=key, timestamp=round((time.time() - ago) * 1000))

    return tell


def captured(at: int) -> CaptureHistory:
    return CaptureHistory(at, 10.0, 100, 0, 1_000_000, CameraState.LIVE, Quantiles(3, 6))


def predicted(at: int) -> ModelHistory:
    return ModelHistory(
        at, 10.0, 50, 10, 0, 0, Quantiles(5, 9), Quantiles(1, 2), Quantiles(20, 30), {"face": 7}
    )


def told(row: list[Any]) -> list[Any]:
    return [value for value in row if value is not None]


def test_a_cameras_rows_are_those_of_its_span(
    viewer: Client, tell: Callable[..., None], producer: Producer
) -> None:
    topic = topics.camera_history("gate")
    for number in range(1000, 0, -1):
        tell(topic, "capture", captured, 30 + 10 * number)
    for ago in (150, 140):
        tell(topic, "eye@2", predicted, ago)
    tell(topic, "eye@2", b"nonsense", 130)
    tell(topic, "stranger", b"{}", 130)
    producer.flush(10)

    answer = viewer.get("/cameras/gate/history.json?minutes=10")
    said = answer.json()

    assert answer["Cache-Control"] == "no-store"
    assert (said["camera"], said["step"], len(said["at"])) == ("gate", 10, 60)
    assert said["at"] == sorted(said["at"])
    assert 0 < time.time() - said["at"][-1] / 1000 < 30
    assert set(map(len, said["capture"].values())) == {60}
    assert len(told(said["capture"]["fps"])) == pytest.approx(57, abs=2)
    assert set(told(said["capture"]["kafka_p95"])) == {6}
    (model,) = said["models"]
    assert (model["model"], model["version"]) == ("eye", "2")
    assert (told(model["predicted"]), told(model["failed"]), told(model["transport_p95"])) == (
        [5, 5],
        [1, 1],
        [9, 9],
    )
    assert told(model["labels"]["face"]) == [7, 7]


def test_a_models_versions_are_told_apart(
    viewer: Client, tell: Callable[..., None], producer: Producer
) -> None:
    model = Model.objects.create(slug="eye", name="Eye")
    for version in ("1", "2", "3"):
        ModelVersion.objects.create(model=model, version=version, runtime="builtin-qr")
    for worker in ("infer-a", "infer-b"):
        tell(topics.model_history("eye", "1"), worker, predicted, 60)
    tell(topics.model_history("eye", "2"), "infer-a", predicted, 90)
    producer.flush(10)

    said = viewer.get("/models/eye/history.json").json()

    assert (said["model"], said["step"], len(said["at"])) == ("eye", 10, 360)
    assert [version["version"] for version in said["versions"]] == ["1", "2"]
    assert [told(version["predicted"]) for version in said["versions"]] == [
        [pytest.approx(10, abs=0.1)],
        [5],
    ]
    assert [told(version["latency_p95"]) for version in said["versions"]] == [[30], [30]]


def test_a_camera_that_was_never_read_has_gaps_only(viewer: Client) -> None:
    said = viewer.get("/cameras/gate/history.json?minutes=1440").json()

    assert said["models"] == []
    assert said["capture"]["fps"] == [None] * 720


@pytest.mark.parametrize("minutes", ["0", "1441", "-5", "1.5", "", "ten", "9" * 40, "²"])
def test_nonsense_is_refused_with_a_sentence(viewer: Client, minutes: str) -> None:
    answer = viewer.get("/cameras/gate/history.json", {"minutes": minutes})

    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "minutes is a whole number from 1 to 1440."},
    )


def test_many_who_ask_at_once_are_one_question_to_kafka(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def counted(slug: str, minutes: int) -> bytes:
        asked.append(slug)
        return history.camera_document(slug, minutes)

    monkeypatch.setattr(history_views, "camera_document", counted)

    for _ in range(3):
        assert viewer.get("/cameras/gate/history.json").status_code == 200
    assert asked == ["gate"]
    assert viewer.get("/cameras/gate/history.json?minutes=5").status_code == 200
    assert len(asked) == 2


def test_kafka_away_is_said_in_a_sentence(viewer: Client, settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{free_port()}"

    answer = viewer.get("/cameras/gate/history.json")

    assert (answer.status_code, answer.json()) == (503, {"error": history_views.NO_KAFKA})
