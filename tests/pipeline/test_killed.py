"""Any process may be killed outright: its work goes on by itself. One after the other on one
broker, all at once on the other.
"""

from __future__ import annotations

import os
import signal
import time

import pytest
import requests

from sightline.kafka import topics
from tests.pipeline.conftest import Broker, Eyes
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

# The promise is 20 s; what is tested is that it comes back at all, with room for a busy machine.
RECOVERY = 60
one_by_one = pytest.mark.parametrize("broker", ["embedded"], indirect=True, scope="session")
at_once = pytest.mark.parametrize("broker", ["kafka"], indirect=True, scope="session")


def kill(stack: Stack, *processes: str) -> int:
    """kill -9; the moment, in ns since the epoch."""
    for process in processes:
        os.kill(stack.pid(process), signal.SIGKILL)
    return time.time_ns()


def imprinted(stack: Stack, eyes: Eyes) -> None:
    """The camera's predictions are drawn into its pictures."""
    stack.operator().change_camera("conveyor", imprint="on")
    assert next(eyes.frames(topics.annotated("conveyor"), "conveyor", RECOVERY))


def captures_after(moment: int, eyes: Eyes) -> None:
    assert next(
        frame
        for frame in eyes.frames(topics.frames("conveyor"), "conveyor", RECOVERY)
        if frame.captured_at > moment + 1e9
    )


def infers_after(moment: int, eyes: Eyes) -> None:
    later = (
        item
        for item in eyes.predictions(topics.predictions("conveyor"), "qr", RECOVERY)
        if item.timing.started_at > moment + 1e9
    )
    assert next(later)


def imprints_after(moment: int, eyes: Eyes) -> None:
    assert next(
        frame
        for frame in eyes.frames(topics.annotated("conveyor"), "conveyor", RECOVERY)
        if frame.captured_at > moment + 1e9
    )


def serves(stack: Stack) -> None:
    """The web process comes back, and has pictures again."""

    def is_ready() -> bool:
        try:
            return requests.get(f"{stack.url}/readyz", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    wait_until(is_ready, RECOVERY, "the web process to be ready")
    operator = stack.operator()
    wait_until(
        lambda: operator.get("/cameras/conveyor/snapshot.jpg").status_code == 200,
        RECOVERY,
        "the web to show pictures again",
        interval=0.2,
    )
    assert operator.get("/cameras/conveyor/snapshot.jpg").headers["Content-Type"] == "image/jpeg"


def probes(stack: Stack) -> None:
    """A job is done: the probe of a new camera."""
    operator = stack.operator()
    operator.add_camera("probed", "demo", "demo:conveyor?line=4")
    page = f"/admin/cameras/camera/{operator.camera_pk('probed')}/change/"
    try:
        wait_until(
            lambda: "1280×720" in operator.get(page).text,
            RECOVERY,
            "the probe's result",
            interval=0.2,
        )
    finally:
        operator.delete_camera("probed")


@one_by_one
def test_capture_goes_on(stack: Stack, eyes: Eyes) -> None:
    captures_after(kill(stack, "capture"), eyes)


@one_by_one
def test_inference_goes_on(stack: Stack, eyes: Eyes) -> None:
    infers_after(kill(stack, "infer"), eyes)


@one_by_one
def test_imprinting_goes_on(stack: Stack, eyes: Eyes) -> None:
    imprinted(stack, eyes)
    imprints_after(kill(stack, "imprint"), eyes)


@one_by_one
def test_the_web_goes_on(stack: Stack) -> None:
    kill(stack, "web")
    serves(stack)


@one_by_one
def test_jobs_go_on(stack: Stack) -> None:
    kill(stack, "jobs")
    probes(stack)


@at_once
def test_all_go_on_when_all_are_killed_at_once(stack: Stack, eyes: Eyes) -> None:
    imprinted(stack, eyes)
    killed = kill(stack, "capture", "infer", "imprint", "web", "jobs")
    captures_after(killed, eyes)
    infers_after(killed, eyes)
    imprints_after(killed, eyes)
    serves(stack)
    probes(stack)


def test_everything_recovers_when_the_broker_is_killed(
    stack: Stack, broker: Broker, eyes: Eyes
) -> None:
    broker.kill()
    killed = time.time_ns()
    broker.come_back()
    infers_after(killed, eyes)
    serves(stack)
