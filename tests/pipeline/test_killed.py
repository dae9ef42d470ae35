"""Any process may be killed outright: its work goes on by itself."""

from __future__ import annotations

import os
import signal
import time

import requests

from sightline import topics
from tests.pipeline.conftest import Broker, Eyes
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

# The promise is 20 s; what is tested is that it comes back at all, with room for a busy machine.
RECOVERY = 60


def kill(stack: Stack, process: str) -> int:
    """kill -9; the moment, in ns since the epoch."""
    os.kill(stack.pid(process), signal.SIGKILL)
    return time.time_ns()


def test_capture_goes_on(stack: Stack, eyes: Eyes) -> None:
    killed = kill(stack, "capture")
    assert next(frame for frame in eyes.frames(topics.frames("conveyor"), "conveyor", RECOVERY) if frame.captured_at > killed + 1e9)


def test_inference_goes_on(stack: Stack, eyes: Eyes) -> None:
    killed = kill(stack, "infer")
    later = (item for item in eyes.predictions(topics.predictions("conveyor"), "qr", RECOVERY) if item.timing.started_at > killed + 1e9)
    assert next(later)


def test_imprinting_goes_on(stack: Stack, eyes: Eyes) -> None:
    stack.operator().change_camera("conveyor", imprint="on")
    annotated = topics.annotated("conveyor")
    assert next(eyes.frames(annotated, "conveyor", RECOVERY))
    killed = kill(stack, "imprint")
    assert next(frame for frame in eyes.frames(annotated, "conveyor", RECOVERY) if frame.captured_at > killed + 1e9)


def test_the_web_goes_on(stack: Stack) -> None:
    kill(stack, "web")

    def serves() -> bool:
        try:
            return requests.get(f"{stack.url}/readyz", timeout=2).status_code == 200
        except requests.ConnectionError:
            return False

    wait_until(serves, RECOVERY, "the web process to be ready")
    picture = stack.operator().get("/cameras/conveyor/snapshot.jpg")
    assert picture.headers["Content-Type"] == "image/jpeg"


def test_jobs_go_on(stack: Stack) -> None:
    kill(stack, "jobs")
    operator = stack.operator()
    operator.add_camera("probed", "demo", "demo:conveyor?line=4")
    page = f"/admin/cameras/camera/{operator.camera_pk('probed')}/change/"
    try:
        wait_until(lambda: "1280×720" in operator.get(page).text, RECOVERY, "the probe's result", interval=0.5)
    finally:
        operator.delete_camera("probed")


def test_everything_recovers_when_the_broker_is_killed(stack: Stack, broker: Broker, eyes: Eyes) -> None:
    broker.kill()
    killed = time.time_ns()
    broker.come_back()
    later = (item for item in eyes.predictions(topics.predictions("conveyor"), "qr", RECOVERY) if item.frame.captured_at > killed + 1e9)
    assert next(later)
    operator = stack.operator()
    wait_until(lambda: operator.get("/cameras/conveyor/snapshot.jpg").status_code == 200, RECOVERY, "the web to show pictures again", interval=0.5)
