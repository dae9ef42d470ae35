from __future__ import annotations

import time

import pytest
from pytest_django import Settings

from cameras import status as module
from cameras.status import latest_states
from sightline.kafka import Admin, KafkaUnavailable, Producer, topics
from sightline.messages import CameraState, CameraStatus


def said(camera: str, state: CameraState, detail: str = "") -> CameraStatus:
    now = time.time_ns()
    return CameraStatus(camera, state, now, now, detail)


def report(*statuses: CameraStatus) -> None:
    producer = Producer()
    for status in statuses:
        producer.send(topics.status(), status.to_json(), key=status.key)
    producer.flush(10)


@pytest.mark.usefixtures("embedded")
def test_the_newest_state_of_each_camera_counts() -> None:
    gate = said("gate", CameraState.LIVE)
    dock = said("dock", CameraState.UNREACHABLE, "It does not answer.")
    report(said("dock", CameraState.LIVE), gate, dock)

    assert latest_states(["dock", "gate"]) == {"dock": dock, "gate": gate}


@pytest.mark.usefixtures("embedded")
def test_other_records_are_passed_over() -> None:
    producer = Producer()
    report(said("dock", CameraState.LIVE))
    producer.send(topics.status(), b"{}", key="worker/capture-1")
    producer.send(topics.status(), b"nonsense", key="camera/gate")
    producer.send(topics.status(), b"no key")
    producer.flush(10)

    assert latest_states(["dock", "gate"]).keys() == {"dock"}


@pytest.mark.usefixtures("embedded")
@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "1" * 400, str(2**64)])
def test_a_number_that_no_program_can_hold_costs_its_record_alone(number: str) -> None:
    dock, gate = said("dock", CameraState.LIVE), said("gate", CameraState.LIVE)
    odd = gate.to_json().replace(b'"fps":0.0', b'"fps":' + number.encode())
    assert number.encode() in odd
    report(gate)
    producer = Producer()
    producer.send(topics.status(), odd, key="camera/gate")
    producer.flush(10)
    report(dock)

    assert latest_states(["dock", "gate"]) == {"dock": dock, "gate": gate}


@pytest.mark.usefixtures("embedded")
def test_a_deleted_status_is_no_status() -> None:
    report(said("dock", CameraState.LIVE))
    producer = Producer()
    producer.send(topics.status(), None, key="camera/dock")
    producer.flush(10)

    assert latest_states(["dock"]) == {}


@pytest.mark.usefixtures("embedded")
def test_without_reports_nothing_is_known() -> None:
    Admin().ensure([topics.status()])

    assert latest_states(["dock", "gate"]) == {}


@pytest.mark.usefixtures("embedded")
def test_only_the_end_of_a_long_topic_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MIN_RECORDS", 4)
    report(said("old", CameraState.LIVE), *[said("dock", CameraState.LIVE)] * 99)

    assert latest_states(["dock", "old"]).keys() == {"dock"}


def test_a_missing_broker_is_said(settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ""

    with pytest.raises(KafkaUnavailable, match="No broker is running here"):
        latest_states(["dock"])
