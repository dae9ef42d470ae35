"""Trouble that no record is to blame for: a server or broker that is away, a worker that stops."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from pytest_django import Settings

from inference.streams import stream as record_stream
from sightline.kafka import DeliveryReport, Outgoing
from sightline.messages import ModelState
from tests.conftest import HOME
from tests.inference.streams.flows import Flow
from tests.models_for_tests import AwayModel
from tests.servers.ports import LOOPBACK, free_port, is_listening
from tests.servers.process import Child

MakeFlow = Callable[..., Flow]


@pytest.fixture
def away() -> Iterator[type[AwayModel]]:
    AwayModel.back, AwayModel.asked = False, 0
    yield AwayModel
    AwayModel.back = True


def test_a_server_that_is_away_is_waited_for(flow: MakeFlow, away: type[AwayModel]) -> None:
    model = flow("away_model")
    model.send(*({"id": number} for number in range(5)))

    model.work_until(lambda: away.asked >= 3, "three tries")
    status = model.state.status()
    assert (status.state, status.detail) == (
        ModelState.FAILING,
        "The model's server does not answer.",
    )
    away.back = True

    assert [result["id"] for result in model.results(5)] == list(range(5))
    assert model.state.failed == 0


class SilentProducer:
    """A Kafka that takes what is sent, and acknowledges it when it is `well`."""

    def __init__(self) -> None:
        self.well = False
        self.reports: list[DeliveryReport] = []

    def send_batch(self, records: Sequence[Outgoing], report: DeliveryReport) -> int:
        report.left += len(records)
        self.reports += [report] * len(records)
        return len(records)

    def poll(self, _timeout: float = 0.0) -> None:
        while self.well and self.reports:
            self.reports.pop()(None, None)

    def close(self, _timeout: float) -> None: ...


def test_what_kafka_does_not_acknowledge_is_said_and_nothing_follows_it(
    flow: MakeFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_stream, "OVERDUE_SECONDS", 0.1)
    model, silent = flow("free_model"), SilentProducer()
    stream = model.start()
    stream.delivery.producer = silent  # type: ignore[attr-defined]
    model.send({"id": 1})

    model.work_until(lambda: model.state.status().state is ModelState.FAILING, "the state")
    assert model.state.status().detail.startswith("Kafka does not take the results.")
    model.send({"id": 2})
    model.step()
    assert len(silent.reports) == 1
    assert not stream.inputs.consumer.offsets.committed(model.inputs)

    silent.well = True
    model.work_until(
        lambda: stream.inputs.consumer.offsets.committed(model.inputs) == 2, "both to be done"
    )
    assert model.state.status().state is ModelState.RUNNING


def test_the_group_is_kept_while_a_server_is_away(flow: MakeFlow, away: type[AwayModel]) -> None:
    model = flow("away_model", in_group=True)
    model.send({"id": 1})
    model.work_until(lambda: away.asked >= 2, "two tries")
    assert model.stream
    member = model.stream.inputs.consumer.client.memberid()

    model.work_until(lambda: away.asked >= 5, "more tries")
    away.back = True

    assert model.results(1) == [{"id": 1}]
    assert model.stream.inputs.consumer.client.memberid() == member


def test_stopping_ends_the_waiting_for_a_server(flow: MakeFlow, away: type[AwayModel]) -> None:
    model = flow("away_model")
    model.send({"id": 1})
    model.work_until(lambda: away.asked >= 2, "two tries")

    model.stopping.set()
    started = time.monotonic()
    model.step()
    model.stop()
    assert time.monotonic() - started < 10

    model.stopping.clear()
    away.back = True
    assert model.results(1) == [{"id": 1}]


def test_a_slow_model_stops_after_the_current_record(flow: MakeFlow) -> None:
    model = flow("slow_model")
    model.send(*({"id": number, "seconds": 0.3} for number in range(20)))
    model.results(1)

    done = model.state.predicted
    model.step()

    assert model.state.predicted - done <= 2
    assert model.stream
    assert len(model.stream.inputs.waiting) > 10


def test_exactly_once_is_as_every_on_the_embedded_broker(
    flow: MakeFlow, caplog: pytest.LogCaptureFixture
) -> None:
    model = flow("free_model", exactly_once=True)
    model.send({"id": 1})

    assert model.results(1) == [{"id": 1}]
    assert "the embedded broker keeps no transactions" in caplog.text


@pytest.mark.slow
def test_it_goes_on_after_the_broker_was_killed(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    broker = Child(
        [sys.executable, HOME / "manage.py", "runbroker", str(port)],
        tmp_path / "broker.log",
        cwd=HOME,
    )
    settings.KAFKA_BOOTSTRAP_SERVERS, settings.KAFKA_EMBEDDED, settings.TOPIC_PREFIX = (
        f"{LOOPBACK}:{port}",
        True,
        "killed",
    )
    with broker:
        broker.wait_until(lambda: is_listening(port))
        model = Flow("free_model", in_group=True)
        model.send(*({"id": number} for number in range(10)))
        assert len(model.results(10)) == 10
        broker.kill()
        model.step()
        broker.start()
        broker.wait_until(lambda: is_listening(port))
        model.readers.clear()
        model.send({"id": 99})

        assert [result["id"] for result in model.results(1)] == [99]
        model.close()
