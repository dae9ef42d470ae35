from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sightline.kafka import Producer, topics
from sightline.messages import ModelState, ModelStatus, model_key
from streaming.hub import model_states as modelstates
from streaming.hub.hub import Hub
from streaming.hub.model_states import CameraModelState, ModelChanges, ModelReports
from tests.streaming.sockets import Socket

AWAY = "The model server at 127.0.0.1:9 refuses the connection."
Report = Callable[..., ModelStatus]


def status(
    state: ModelState = ModelState.RUNNING,
    detail: str = "",
    *,
    cameras: tuple[str, ...] = ("gate",),
    **fields: Any,
) -> ModelStatus:
    now = time.time_ns()
    return ModelStatus(
        "qr", "1", state, now, now, detail, cameras, **{"worker": "infer-1", **fields}
    )


@pytest.fixture
def report(producer: Producer) -> Report:
    """Sends what an infer worker would."""

    def send(*args: Any, **fields: Any) -> ModelStatus:
        sent = status(*args, **fields)
        producer.send(topics.status(), sent.to_json(), key=sent.key)
        return sent

    return send


@pytest.mark.django_db(transaction=True)
async def test_a_failing_model_is_told_to_those_who_watch_its_cameras(
    socket: Socket, report: Report
) -> None:
    await socket.send(type="watch", camera="gate")
    message = await socket.until(lambda: report(cameras=("gate", "yard")), type="model")
    assert (message["model"], message["version"], message["state"], message["cameras"]) == (
        "qr",
        "1",
        "running",
        ["gate"],
    )
    sent = []
    message = await socket.until(
        lambda: sent.append(report(ModelState.FAILING, AWAY, cameras=("gate", "yard"))),
        type="model",
        state="failing",
    )
    assert (message["detail"], message["cameras"]) == (AWAY, ["gate"]), (
        "of other cameras nothing is said"
    )
    assert message["since"] in {item.since for item in sent}


@pytest.mark.django_db(transaction=True)
async def test_who_comes_later_is_told_at_once_and_a_model_that_is_taken_away_is_gone(
    socket: Socket, report: Report, producer: Producer, hub: Hub
) -> None:
    await socket.send(type="watch", camera="gate")
    await socket.until(
        lambda: report(ModelState.FAILING, AWAY, cameras=("gate", "yard")), type="model"
    )
    await socket.send(type="watch", camera="yard")
    message = await socket.until(type="model")
    assert (message["state"], message["cameras"]) == ("failing", ["yard"])
    producer.send(topics.status(), None, key=model_key("qr", "1"))
    gone = [await socket.until(type="model", state="gone")]
    if len(gone[0]["cameras"]) == 1:
        gone.append(await socket.until(type="model", state="gone"))
    assert sorted(camera for message in gone for camera in message["cameras"]) == ["gate", "yard"]


@pytest.mark.django_db(transaction=True)
async def test_what_is_no_report_is_skipped(
    socket: Socket, report: Report, producer: Producer, hub: Hub
) -> None:
    await socket.send(type="watch", camera="gate")
    await socket.until(report, type="model", state="running")
    for value in (b"{}", b"[]", b"\xff", b'{"model":1}'):
        producer.send(topics.status(), value, key="model/qr@1")
    await socket.until(lambda: report(ModelState.FAILING, AWAY), type="model", state="failing")
    assert hub.malformed == 4


def said(news: ModelChanges, *cameras: str) -> list[tuple[str, list[str]]]:
    return [(item.state, where) for item, where in news.take(cameras).items()]


def test_a_viewer_is_told_changes_only() -> None:
    reports = ModelReports()
    news = ModelChanges(reports)
    first = status(cameras=("gate", "yard"))
    reports.add(first)
    assert said(news, "gate", "yard", "dock") == [("running", ["gate", "yard"])]
    reports.add(replace(first, at=first.at + 1, predicted=7))
    assert said(news, "gate", "yard") == []
    reports.add(replace(first, state=ModelState.FAILING, detail=AWAY))
    assert said(news, "gate") == [("failing", ["gate"])]
    news.forget("gate")
    assert said(news, "gate", "yard") == [("failing", ["gate", "yard"])]


def test_a_camera_that_a_model_does_not_see_any_more_loses_it() -> None:
    reports = ModelReports()
    news = ModelChanges(reports)
    first = status(cameras=("gate", "yard"))
    reports.add(first)
    said(news, "gate", "yard")
    assert reports.add(replace(first, cameras=("gate",))) == {"gate", "yard"}
    assert said(news, "gate", "yard") == [("gone", ["yard"])]


def test_each_camera_gets_the_state_of_the_worker_that_has_it() -> None:
    reports = ModelReports()
    reports.add(status(cameras=("gate",), worker="infer-1"))
    reports.add(status(ModelState.FAILING, AWAY, cameras=("yard",), worker="infer-2"))
    states = {
        camera: [item.state for item in reports.on(camera).values()]
        for camera in ("gate", "yard", "dock")
    }
    assert states == {"gate": ["running"], "yard": ["failing"], "dock": []}
    reports.add(status(cameras=("yard",), worker="infer-3"))
    assert [item.state for item in reports.on("yard").values()] == ["running"], (
        "of two workers the one that was heard of last counts"
    )


def test_a_worker_that_falls_silent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = ModelReports()
    news = ModelChanges(reports)
    reports.add(status())
    said(news, "gate")
    monkeypatch.setattr(modelstates, "STALE_SECONDS", -1.0)
    (silent,) = news.take(["gate"])
    assert isinstance(silent, CameraModelState)
    assert (silent.state, silent.detail) == ("unknown", "No inference worker reports this model.")
    assert news.take(["gate"]) == {}


def test_workers_of_long_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = ModelReports()
    monkeypatch.setattr(modelstates, "FORGOTTEN_SECONDS", -1.0)
    for number in range(100):
        reports.add(status(worker=f"infer-{number}"))
    assert len(reports._reports["model/qr@1"]) == 1


def test_a_status_survives_its_journey() -> None:
    sent = status(
        ModelState.FAILING, AWAY, cameras=("gate", "yard"), predicted=5, errors=2, latency_p95=12.5
    )
    assert ModelStatus.from_json(sent.to_json()) == sent
    assert sent.key == "model/qr@1"
