from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from sightline.kafka import topics
from sightline.worker.worker import (
    HEARTBEAT_VARIABLE,
    Heartbeat,
    Worker,
    resident_bytes,
    run,
)
from tests.support import reading


class Diary(Worker):
    """Writes down what happens to it."""

    role = "diary"

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self.steps = list(steps)
        self.lived: list[str] = []

    def open(self) -> None:
        self.lived.append("open")

    def step(self) -> None:
        self.lived.append("step")
        self.steps.pop(0)()

    def close(self) -> None:
        self.lived.append("close")

    def counters(self) -> dict[str, int]:
        return {"steps": self.lived.count("step")}


def signalled(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("embedded")
def test_it_opens_steps_until_signalled_and_closes(number: signal.Signals) -> None:
    worker = Diary(lambda: None, signalled(number))

    run(worker)

    assert worker.lived == ["open", "step", "step", "close"]


@pytest.mark.usefixtures("embedded")
def test_the_signals_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    run(Diary(signalled(signal.SIGTERM)))

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.usefixtures("embedded")
def test_the_second_signal_takes_its_usual_course() -> None:
    def twice() -> None:
        signalled(signal.SIGTERM)()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL

    worker = Diary(twice)
    run(worker)

    assert worker.stopping.is_set()


@pytest.mark.usefixtures("embedded")
def test_an_error_ends_it_and_is_passed_on() -> None:
    def fail() -> None:
        raise RuntimeError("boom")

    worker = Diary(lambda: None, fail)

    with pytest.raises(RuntimeError, match="boom"):
        run(worker)
    assert worker.lived == ["open", "step", "step", "close"]


@pytest.mark.usefixtures("embedded")
def test_it_is_closed_when_it_did_not_open() -> None:
    class Broken(Diary):
        def open(self) -> None:
            raise RuntimeError("no")

    worker = Broken()
    with pytest.raises(RuntimeError, match="no"):
        run(worker)
    assert worker.lived == ["close"]


@pytest.mark.usefixtures("embedded")
def test_it_reports_and_flushes() -> None:
    worker = Diary(
        lambda: worker.producer.send(topics.errors("m", "1"), b"last words"),
        signalled(signal.SIGTERM),
    )

    run(worker)

    with reading(topics.status()) as status, reading(topics.errors("m", "1")) as errors:
        record = status.wait()[0]
        assert errors.wait()[0].value == b"last words"
    assert record.key == f"worker/{worker.name}".encode()
    assert b'"role":"diary"' in (record.value or b"")
    assert b'"steps":1' in (record.value or b"")


@pytest.mark.usefixtures("embedded")
def test_it_beats_with_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(HEARTBEAT_VARIABLE, str(write_end))

    run(Diary(lambda: None, lambda: None, signalled(signal.SIGTERM)))

    assert os.read(read_end, 100) == b"..."
    assert HEARTBEAT_VARIABLE not in os.environ
    os.close(read_end)
    os.close(write_end)


def test_a_supervisor_that_is_gone_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setenv(HEARTBEAT_VARIABLE, str(write_end))
    heartbeat = Heartbeat()
    os.close(read_end)

    heartbeat.beat()

    os.close(write_end)
    Heartbeat().beat()


def test_its_memory_is_known() -> None:
    assert 1_000_000 < resident_bytes() < 100_000_000_000
    assert resident_bytes("nobody") == 0
