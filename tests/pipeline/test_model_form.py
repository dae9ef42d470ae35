"""A model comes by the form: uploaded, read, tried on what a camera sees now, saved, and then
its predictions stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from sightline.kafka import topics
from tests.inference.runtimes.onnx import models
from tests.pipeline.conftest import Eyes
from tests.servers.browser import Complaints, chromium, log_in
from tests.servers.stack import Stack

pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)


@pytest.fixture
def page() -> Iterator[Page]:
    """A page in a browser of its own."""
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 1440, "height": 1000})


def test_an_uploaded_model_is_tried_on_a_camera_and_then_runs(
    stack: Stack, page: Page, eyes: Eyes, tmp_path: Path
) -> None:
    complaints = Complaints(page)
    log_in(page, stack)
    page.goto(stack.url + "/admin/inference/model/add/")
    page.locator("#id_name").press_sequentially("Squares")
    page.set_input_files("#id_versions-0-file", str(models.yolo(tmp_path / "squares.onnx")))
    page.get_by_role("button", name="Read from the model").click()
    expect(page.get_by_label("Adapter", exact=True)).to_have_value("yolo", timeout=20_000)
    page.get_by_label("or what a camera sees now").select_option("conveyor")
    page.get_by_role("button", name="Try it").click()
    result = page.locator("[data-result]")
    expect(result).to_contain_text("Median of five", timeout=20_000)
    expect(result.locator("img")).to_be_visible()
    expect(result.locator(".mf-bad")).to_have_count(0)

    page.locator(".mf-cameras").get_by_label("Conveyor").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully", timeout=20_000)
    prediction = next(eyes.predictions(topics.predictions("conveyor"), "squares", timeout=60))
    assert (prediction.version, prediction.role) == ("1", "live")
    assert not complaints.found
