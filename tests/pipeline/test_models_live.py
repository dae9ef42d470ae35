"""Several models on one camera, one of them on a server, one of them a second stage: each for
itself, on the pages too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from sightline.kafka import topics
from sightline.messages import Prediction
from tests.inference.runtimes.servers.servers import (
    Answer,
    Asked,
    RestServer,
    as_json,
)
from tests.pipeline.conftest import Eyes
from tests.servers.browser import Complaints, chromium, log_in
from tests.servers.stack import HOME, Stack

# Which broker carries the frames makes no difference to models.
pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

SEEN = {"predictions": [{"classes": 2, "probabilities": [0.25, 0.75]}]}

SETUP = """
from cameras.models import Camera
from inference.models import Deployment, Model, ModelVersion

def version(slug, runtime, options):
    model = Model.objects.create(slug=slug, name=slug)
    return ModelVersion.objects.create(model=model, version="1", runtime=runtime, options=options)

camera = Camera.objects.get(slug="conveyor")
remote = version("remote", "tfserving-rest", {options})
Deployment.objects.create(version=remote).cameras.add(camera)
first = Deployment.objects.filter(version__model__slug="qr").get()
parcel = version("parcel", "tfserving-rest", {second})
Deployment.objects.create(version=parcel, crops_of=first, batch=8)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


def in_database(stack: Stack, code: str) -> None:
    """Run some code with the stack's settings."""
    environment = {
        **os.environ,
        "DATA_DIR": str(stack.folder / "data"),
        "DJANGO_SETTINGS_MODULE": "sightline.settings",
    }
    command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    subprocess.run(command, env=environment, cwd=HOME, check=True, timeout=60)


def options(server: RestServer) -> dict[str, object]:
    """Of a model that decodes the pictures itself."""
    return {
        "address": server.address,
        "model": "net",
        "input": {"name": "image_bytes", "format": "jpeg"},
        "output": {"adapter": "seed", "labels": ["empty", "full"]},
    }


def said_of(eyes: Eyes, model: str) -> Prediction:
    """The next prediction of a model that has found something."""
    until = time.monotonic() + 90
    for record in eyes.records(topics.predictions("conveyor")):
        prediction = Prediction.from_json(record.value)
        if prediction.model == model and prediction.predictions:
            return prediction
        assert time.monotonic() < until, f"{model} says nothing"
    raise AssertionError


def answer(asked: Asked) -> Answer:
    """What a model server says that sees something in every picture."""
    if asked.method == "GET":
        return as_json(
            {
                "model_version_status": [
                    {
                        "version": "1",
                        "state": "AVAILABLE",
                        "status": {"error_code": "OK", "error_message": ""},
                    }
                ]
            }
        )
    instances = json.loads(asked.body or b"{}").get("instances", [None])
    return as_json({"predictions": SEEN["predictions"] * len(instances)})


def test_a_server_that_ends_marks_its_own_model_within_5_seconds_and_leaves_the_others(
    stack: Stack, eyes: Eyes, page: Page
) -> None:
    complaints = Complaints(page)
    with RestServer(answer) as second:
        with RestServer(answer) as server:
            in_database(stack, SETUP.format(options=options(server), second=options(second)))
            assert {
                (item.label, item.box is None) for item in said_of(eyes, "parcel").predictions
            } == {("full", False)}, "at the boxes of qr"
            assert [(item.label, item.box) for item in said_of(eyes, "remote").predictions] == [
                ("full", None)
            ]
            log_in(page, stack)
            chip = page.locator('[data-camera="conveyor"] .chip[data-model="remote 1"]')
            expect(chip).to_have_text("remote 1", timeout=15_000)
            expect(chip).not_to_have_attribute("data-kind", "bad", timeout=15_000)
        ended = time.monotonic()
        expect(chip).to_have_attribute("data-kind", "bad", timeout=5_000)
        assert time.monotonic() - ended < 5
        expect(chip).to_have_text("remote 1 fails")
        assert "127.0.0.1" in (chip.get_attribute("title") or "")
        for other in ("qr 1", "parcel 1"):
            expect(
                page.locator(f'[data-camera="conveyor"] .chip[data-model="{other}"]')
            ).to_have_text(other)
        for model in ("qr", "parcel"):
            assert said_of(eyes, model)
        page.screenshot(path=stack.folder / "wall.png")
        log_in(page, stack, "/cameras/conveyor/")
        row = page.locator('.model[data-model="remote"]')
        expect(row).to_have_attribute("data-kind", "bad", timeout=5_000)
        expect(row.locator("[data-numbers]")).to_contain_text("127.0.0.1")
        expect(page.locator('.model[data-model="parcel"]')).to_have_attribute(
            "data-kind", "ok", timeout=10_000
        )
        page.screenshot(path=stack.folder / "camera.png")
        with RestServer(answer, server.port):
            expect(row).to_have_attribute("data-kind", "ok", timeout=45_000)
    assert not complaints.found
