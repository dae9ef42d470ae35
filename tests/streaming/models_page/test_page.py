"""The pages about models, and what they ask for."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera as CameraRow
from inference.models import Deployment, Model, ModelVersion
from sightline.kafka import Producer, Record, topics
from sightline.messages import DeadLetter, ModelState, ModelStatus
from streaming.hub.hub import Hub
from streaming.hub.states import KafkaState
from streaming.json_view import NO_KAFKA
from streaming.models_page import records as modelrecords
from streaming.models_page import views as modelpage
from tests.servers.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def anew(hub: Hub) -> None:
    """A hub that listens and has heard of Kafka; no answer is remembered."""
    hub.start()
    hub.started_at = time.monotonic() - 60
    for results in (modelrecords.results, modelrecords.dead_letter_results):
        results.clear()


def client_of(name: str, *permissions: str, **fields: Any) -> Client:
    user = User.objects.create_user(name, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(hub: Hub) -> Client:
    return client_of("olga")


@pytest.fixture
def staff(hub: Hub) -> Client:
    return client_of("ada", "view_model", "add_model", is_staff=True)


@pytest.fixture
def gate() -> CameraRow:
    return CameraRow.objects.create(slug="gate", name="Gate <b>", kind="demo", url="demo:conveyor")


def version_of(slug: str, version: str = "1", runtime: str = "builtin-qr") -> ModelVersion:
    model, _ = Model.objects.get_or_create(slug=slug, defaults={"name": slug.upper()})
    return ModelVersion.objects.create(model=model, version=version, runtime=runtime)


@pytest.fixture
def qr(gate: CameraRow) -> ModelVersion:
    version = version_of("qr")
    Deployment.objects.create(version=version).cameras.add(gate)
    return version


@pytest.fixture
def iris() -> ModelVersion:
    version = version_of("iris", runtime="python")
    Deployment.objects.create(version=version, kind="records", delivery="every")
    return version


def said(
    state: ModelState = ModelState.RUNNING,
    *,
    worker: str = "infer-1",
    detail: str = "",
    **fields: object,
) -> ModelStatus:
    now = time.time_ns()
    return ModelStatus("qr", "1", state, now, now, detail, ("gate",), worker=worker, **fields)  # type: ignore[arg-type]


def state_of(client: Client, slug: str = "qr") -> dict[str, Any]:
    answer = client.get(f"/models/{slug}/state.json")
    assert answer.status_code == 200, answer.content
    document: dict[str, Any] = answer.json()
    return document


def test_a_version_that_works_has_its_numbers(viewer: Client, qr: ModelVersion, hub: Hub) -> None:
    first = said(predicted=100, skipped=10, failed=0, errors=0, latency_p50=5.0, latency_p95=9.0)
    hub.models.add(replace(first, at=first.at - 2_000_000_000))
    hub.models.add(replace(first, predicted=136, skipped=30, failed=3, errors=1))
    [version] = state_of(viewer)["versions"]

    assert (version["state"], version["word"], version["kind"]) == ("running", "works", "ok")
    assert (version["predicted"], version["skipped"]) == (18, 10)
    assert version["errors"] == pytest.approx(4 / 40)
    assert (version["latency_p50"], version["latency_p95"], version["workers"]) == (
        5,
        9,
        ["infer-1"],
    )


def test_several_workers_are_added_up_and_the_worst_speaks(
    viewer: Client, qr: ModelVersion, hub: Hub
) -> None:
    for worker, state, detail in (
        ("infer-1", ModelState.RUNNING, ""),
        ("infer-2", ModelState.FAILING, "The server refuses the connection."),
    ):
        status = said(state, worker=worker, detail=detail, predicted=0, latency_p95=4.0)
        hub.models.add(replace(status, at=status.at - 1_000_000_000))
        hub.models.add(replace(status, predicted=10))
    [version] = state_of(viewer)["versions"]

    assert (version["word"], version["detail"], version["kind"]) == (
        "fails",
        "The server refuses the connection.",
        "bad",
    )
    assert version["predicted"] == pytest.approx(20)
    assert state_of(viewer)["word"] == "fails"


def test_who_reports_nothing_is_not_running(
    viewer: Client, qr: ModelVersion, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models.add(said())
    monkeypatch.setattr("streaming.hub.model_states.STALE_SECONDS", -1.0)
    [version] = state_of(viewer)["versions"]
    assert (version["word"], version["kind"]) == ("is not running", "bad")
    assert version["detail"] == "No infer worker reports it. Ask your administrator."
    User.objects.filter(pk=viewer.session["_auth_user_id"]).update(is_staff=True)
    [version] = state_of(viewer)["versions"]
    assert (
        version["detail"]
        == "No infer worker reports it. Start one with: manage.py runworkers infer"
    )

    # Its own thread would find out that Kafka is there.
    hub.stop()
    monkeypatch.setattr(hub, "start", lambda: None)
    hub.kafka = KafkaState(reachable=False, detail="away", known=True)
    [version] = state_of(viewer)["versions"]
    assert (version["kind"], version["detail"]) == (
        "wait",
        "Kafka does not answer, so nothing is known of it.",
    )


def test_what_is_not_deployed_says_what_to_do(
    viewer: Client, qr: ModelVersion, gate: CameraRow, hub: Hub
) -> None:
    version_of("qr", "2")
    Model.objects.create(slug="empty", name="Empty")
    gate.enabled = False
    gate.save()

    assert [(row["word"], row["kind"]) for row in state_of(viewer)["versions"]] == [
        ("idle", "off"),
        ("not deployed", "off"),
    ]
    assert state_of(viewer, "empty")["word"] == "no version"
    page = viewer.get("/models/empty/").content.decode()
    assert "This model has no version" in page
    assert "Ask an administrator to add one" in page


def test_only_cameras_that_the_user_may_see_are_named(
    viewer: Client, qr: ModelVersion, gate: CameraRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = CameraRow.objects.create(slug="vault", name="Vault", kind="demo", url="demo:conveyor")
    qr.deployments.get().cameras.add(vault)
    monkeypatch.setattr(
        modelpage, "visible_cameras", lambda _user: CameraRow.objects.exclude(slug="vault")
    )
    page = viewer.get("/models/qr/").content.decode()

    assert "Vault" not in page
    assert "vault" not in page
    assert 'data-camera="gate"' in page
    assert "Gate &lt;b&gt;" in page
    assert viewer.get("/models/state.json").json()["models"][0]["cameras"] == 1


def test_who_gets_what(viewer: Client, staff: Client, qr: ModelVersion, iris: ModelVersion) -> None:
    anonymous = Client()
    for path in ("/models/", "/models/qr/"):
        assert anonymous.get(path)["Location"] == f"/accounts/login/?next={path}"
        assert viewer.get(path).status_code == staff.get(path).status_code == 200
    for path in (
        "/models/state.json",
        "/models/qr/state.json",
        "/models/iris/records.json",
        "/models/qr/deadletters.json",
    ):
        assert anonymous.get(path).status_code == 401
    assert viewer.get("/models/qr/deadletters.json").status_code == 404
    assert "refused" in viewer.get("/models/iris/records.json").json()
    assert staff.get("/models/qr/deadletters.json").status_code == 200
    for path in (
        "/models/nothing/",
        "/models/nothing/state.json",
        "/models/nothing/records.json",
        "/models/nothing/deadletters.json",
    ):
        assert staff.get(path).status_code == 404
    assert "Add model" in staff.get("/models/").content.decode()
    assert "Add model" not in viewer.get("/models/").content.decode()


def test_an_empty_list_says_what_to_do(viewer: Client, staff: Client) -> None:
    assert "Ask your administrator" in viewer.get("/models/").content.decode()
    assert "Add a model" in staff.get("/models/").content.decode()


@pytest.mark.usefixtures("iris")
def test_records_come_with_their_inputs(staff: Client, producer: Producer) -> None:
    inputs, outputs = topics.inputs("iris", "1"), topics.outputs("iris", "1")
    for number in range(3):
        producer.send(inputs, b'{"n": %d}' % number, key="a", headers=[("source", b"garden")])
        producer.send(outputs, b'{"said": %d}' % number, key="a", headers=[("source", b"garden")])
    producer.send(inputs, b"broken", key="b")
    producer.send(inputs, b'{"n": "good"}', key="b")
    producer.send(outputs, b'{"said": "<img src=x onerror=alert(1)>"}', key="b")
    assert producer.flush(10) == 0
    [version] = staff.get("/models/iris/records.json").json()["versions"]

    assert [(row["output"], row["input"], row["key"]) for row in version["rows"]] == [
        ('{"said": "<img src=x onerror=alert(1)>"}', None, "b"),
        ('{"said": 2}', '{"n": 2}', "a"),
        ('{"said": 1}', '{"n": 1}', "a"),
        ('{"said": 0}', '{"n": 0}', "a"),
    ], "of two inputs that are alike, one of which failed, nobody knows whose output it is"
    [version] = state_of(staff, "iris")["versions"]
    assert version["lag"]["total"] == 5
    assert version["lag"]["partitions"][0] == {"partition": 0, "records": 5}


def record(offset: int, value: bytes, key: bytes | None = None) -> Record:
    return Record("t", 0, offset, 0, key, value, ())


def test_a_large_or_odd_value_stays_small_and_inert() -> None:
    shown = [
        modelrecords._row(record(0, value), None)["output"]
        for value in (b"x" * 100_000, b"\xff\xd8\xff" + b"\0" * 900, b"\x00\x01", b"[1,\n2]")
    ]

    assert len(shown[0]) < 1300
    assert shown[1] == "a picture (jpg) of 903 bytes"
    assert shown[3] == "[1, 2]"


def test_dead_letters_are_counted_by_reason(
    staff: Client, qr: ModelVersion, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, message in enumerate(
        ["The score 1.5 is not in 0..1.", "The score 2.5 is not in 0..1.", "It broke."]
    ):
        letter = DeadLetter(
            topics.frames("gate").name, 0, number, 1, "group", "qr", "1", "inference.X", message, ""
        )
        producer.send(topics.errors("qr", "1"), b"frame", key="gate", headers=letter.headers())
    assert producer.flush(10) == 0
    [version] = staff.get("/models/qr/deadletters.json").json()["versions"]

    assert version["kept"] == 3
    assert sorted((group["message"], group["count"]) for group in version["groups"]) == [
        ("It broke.", 1),
        ("The score # is not in #..#.", 2),
    ]
    assert staff.get(version["groups"][0]["href"]).status_code == 200

    monkeypatch.setattr(modelpage, "visible_cameras", lambda _user: CameraRow.objects.none())
    assert staff.get("/models/qr/deadletters.json").json()["versions"][0]["groups"] == []


def test_kafka_that_is_away_is_a_sentence(
    staff: Client, iris: ModelVersion, settings: Settings
) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{free_port()}"
    for path in ("/models/iris/records.json", "/models/iris/deadletters.json"):
        answer = staff.get(path)
        assert (answer.status_code, answer.json()["error"]) == (503, NO_KAFKA)
    assert state_of(staff, "iris")["versions"][0]["lag"] is None
    assert staff.get("/models/iris/").status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_models(
    viewer: Client, gate: CameraRow, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        Deployment.objects.create(version=version_of(f"m{number}")).cameras.add(gate)
    with django_assert_max_num_queries(14):
        viewer.get("/models/")
