"""Records that a model, or Kafka's library, cannot take: each costs itself alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest
from pytest_django import Settings

from inference.runtimes.servers.breaker import FAILURES_TO_OPEN
from sightline.kafka import Record
from tests.inference.runtimes.servers.servers import Answer, Asked, RestServer, as_json
from tests.inference.streams.flows import Flow
from tests.servers.raw_records import send_raw

MakeFlow = Callable[..., Flow]
# More in a row than the breaker lets pass.
POISONED = FAILURES_TO_OPEN + 1


def ready(asked: Asked) -> Answer:
    """There is such a model; it does not describe itself."""
    if asked.path.endswith("/metadata"):
        return as_json({}, 404)
    return as_json({"model_version_status": [{"state": "AVAILABLE"}]})


def asking(flow: MakeFlow, server: RestServer, **options: object) -> Flow:
    return flow(
        "remote",
        runtime="tfserving-rest",
        options={"address": server.address, "model": "m", **options},
        input_schema=json.dumps({"type": "object"}),
    )


def numbers(asked: Asked) -> list[float]:
    return [row["x"] for row in json.loads(asked.body)["instances"]]


def reason(letter: Record) -> str:
    return letter.header_map["dlt-exception-message"].decode()


def test_records_that_the_server_answers_with_500_become_dead_letters(flow: MakeFlow) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.method != "POST":
            return ready(asked)
        asked_for = numbers(asked)
        if any(number < 0 for number in asked_for):
            return as_json({"error": "cannot take the root"}, 500)
        return as_json({"predictions": [number**0.5 for number in asked_for]})

    with RestServer(answer) as server:
        model = asking(flow, server)
        model.send(*({"x": -1.0 - number} for number in range(POISONED)), {"x": 9.0})

        assert [result["output"] for result in model.results(1)] == [3.0]
        letters = model.letters(POISONED)
    assert {reason(letter).partition(": ")[2] for letter in letters} == {"cannot take the root."}
    assert {letter.header_map["dlt-delivery-attempt"] for letter in letters} == {b"3"}


def test_a_record_that_always_exceeds_the_deadline_is_given_up(
    flow: MakeFlow, settings: Settings
) -> None:
    settings.RECORD_DEADLINE_TRIES = 2

    def answer(asked: Asked) -> Answer:
        if asked.method != "POST":
            return ready(asked)
        if 0.0 in (asked_for := numbers(asked)):
            time.sleep(0.3)
        return as_json({"predictions": asked_for})

    with RestServer(answer) as server:
        model = asking(flow, server, deadline=0.1)
        model.send({"x": 0.0}, {"x": 1.0})

        assert [result["output"] for result in model.results(1)] == [1.0]
        (letter,) = model.letters(1)
    assert "has not answered about this record within the deadline, 3 times" in reason(letter)


def test_a_server_that_hangs_costs_no_record(flow: MakeFlow, settings: Settings) -> None:
    settings.RECORD_DEADLINE_TRIES = 2
    hangs = threading.Event()
    calls = 0

    def answer(asked: Asked) -> Answer:
        nonlocal calls
        if asked.method != "POST":
            return ready(asked)
        calls += 1
        if not hangs.is_set():
            hangs.wait(0.3)
            return as_json({"error": "too late"}, 503)
        return as_json({"predictions": numbers(asked)})

    with RestServer(answer) as server:
        model = asking(flow, server, deadline=0.1)
        model.send(*({"x": float(number)} for number in range(4)))
        model.work_until(lambda: calls >= 8, "more tries than a record has")
        hangs.set()

        assert [result["output"] for result in model.results(4)] == [0.0, 1.0, 2.0, 3.0]
    assert model.state.failed == 0


def test_a_header_whose_name_is_not_utf8_costs_its_record(flow: MakeFlow, embedded: str) -> None:
    model = flow("free_model")
    model.send(*({"id": 0} for _ in range(100)), headers=[("kept", b"1")])
    model.send({"id": 1})
    send_raw(embedded, model.inputs.name, b'{"id": 2}', [(b"kept", b"1"), (b"\xff\xfe", b"1")])
    model.send({"id": 3})

    assert [result["id"] for result in model.results(102)][100:] == [1, 3]
    (letter,) = model.letters(1)
    assert letter.value == b'{"id": 2}'
    assert "the name of one is not UTF-8" in reason(letter)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "18446744073709551616", "1" * 400])
def test_a_number_that_does_not_fit_costs_its_record(flow: MakeFlow, number: str) -> None:
    model = flow("free_model")
    model.send({"id": 1}, b'{"id": 2, "deep": [{"x": %s}]}' % number.encode(), {"id": 3})

    assert [result["id"] for result in model.results(2)] == [1, 3]
    (letter,) = model.letters(1)
    assert reason(letter).startswith("The record")
    assert "not" in reason(letter)
    assert len(number) > 300 or "deep[0].x" in reason(letter)
