"""A camera's page in a real browser: what is there, how old it is, what the models see, how it
has been, and how to take it elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import simplejpeg
from playwright.sync_api import Browser, Locator, Page, expect

from tests.servers.browser import Complaints, chromium, log_in, wait_for_paints
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

# What is tested here is the page: one broker is enough.
pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

PATIENCE_MS = 60_000
QR_COLOUR = np.array([53, 208, 186])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for these tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def opened(browser: Browser, stack: Stack) -> Iterator[tuple[Page, Complaints]]:
    """The demo camera's page, live: one for all these tests."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    complaints = Complaints(page)
    log_in(page, stack, "/cameras/conveyor/")
    wait_for_paints(page, "conveyor", 1)
    yield page, complaints
    page.context.close()


@pytest.fixture
def page(opened: tuple[Page, Complaints]) -> Iterator[Page]:
    """The page; what the browser complains of meanwhile is a failure."""
    page, complaints = opened
    yield page
    found = complaints.found.copy()
    complaints.found.clear()
    assert [complaint for complaint in found if "503" not in complaint] == []


def chart(page: Page, name: str) -> Locator:
    """One of the charts, once it has lines."""
    found = page.locator(f'[data-chart="{name}"]')
    expect(found.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile("latest"), timeout=PATIENCE_MS
    )
    return found


def test_the_numbers_and_charts_say_how_it_is_and_has_been(page: Page) -> None:
    expect(page.locator('[data-card="rate"]')).to_have_text(re.compile(r"^\d+\.\d fps$"))
    expect(page.locator('[data-card="skipped"]')).to_have_text(
        re.compile(r"^\d+(\.\d)? %$"), timeout=PATIENCE_MS
    )
    rate = chart(page, "rate")
    expect(rate.locator(".chart-keys")).to_contain_text(re.compile(r"camera\d+\.\d.*qr 1\d"))
    expect(chart(page, "labels").locator(".chart-keys")).to_contain_text("qr")
    expect(chart(page, "age").get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"model: latest .+highest")
    )
    page.get_by_role("button", name="15 min").click()
    expect(page.get_by_role("button", name="15 min")).to_have_attribute("aria-pressed", "true")

    rate.get_by_role("img").focus()
    page.keyboard.press("End")
    expect(rate.locator("[aria-live]")).to_have_text(
        re.compile(r"^\d\d:\d\d:\d\d: camera \d+\.\d, ")
    )
    expect(chart(page, "age").locator("h2 small")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    page.keyboard.press("Escape")
    expect(chart(page, "age").locator("h2 small")).to_have_text("95 % are younger")
    rate.get_by_role("button", name="Table").click()
    expect(rate.locator("tbody tr").first).to_have_text(re.compile(r"^\d\d:\d\d:\d\d"))
    expect(rate.get_by_role("img")).to_be_hidden()


def test_charts_that_do_not_come_say_so_and_the_rest_goes_on(page: Page) -> None:
    sentence = "Kafka does not answer, so the history cannot be read now."
    page.route(
        "**/history.json?*", lambda route: route.fulfill(status=503, json={"error": sentence})
    )
    page.get_by_role("button", name="6 h").click()
    expect(page.locator('[data-chart="rate"] .chart-notice')).to_have_text(sentence)
    before = int(page.locator("[data-painted]").get_attribute("data-painted") or 0)
    expect(page.locator("[data-painted]")).not_to_have_attribute("data-painted", str(before))
    page.unroute("**/history.json?*")
    page.get_by_role("button", name="1 h").click()
    expect(page.locator('[data-chart="rate"] .chart-notice')).to_be_hidden()


def saved(page: Page, key: str) -> int:
    """How many pixels of the picture that a key saves have the colour of a QR code's box."""
    with page.expect_download() as download:
        page.keyboard.press(key)
    assert re.fullmatch(
        r"conveyor-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.jpg", download.value.suggested_filename
    )
    pixels = simplejpeg.decode_jpeg(Path(download.value.path()).read_bytes())
    return int((np.abs(np.asarray(pixels, dtype=int) - QR_COLOUR).max(axis=2) < 24).sum())


def test_snapshots_have_the_boxes_or_have_not(page: Page) -> None:
    # On a busy machine a frame may be on the screen before its boxes are.
    wait_until(lambda: saved(page, "x") > 1000, 60, "a snapshot with boxes")
    assert saved(page, "X") < 200


def test_a_link_shows_the_camera_without_a_login(page: Page, browser: Browser) -> None:
    page.keyboard.press("k")
    address = page.get_by_label("Address")
    expect(address).to_have_value(re.compile("/cameras/conveyor/stream.mjpg\\?key="))
    expect(page.get_by_role("timer")).to_have_text(
        re.compile(r"^Can be opened for [45]:\d\d more\.$")
    )
    url = address.input_value()
    page.get_by_label("Width").select_option("320")
    expect(address).to_have_value(re.compile("width=320&key="))
    page.get_by_text("Web page", exact=True).click()
    expect(address).to_have_value(re.compile('^<img src="http'))
    snippet = address.input_value()
    page.keyboard.press("Escape")

    with requests.get(url, stream=True, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("multipart/x-mixed-replace")
        assert answer.raw.read(1000)
    assert requests.get(url.replace("stream.mjpg", "snapshot.jpg"), timeout=10).status_code == 403
    # A page of no site of ours, without a session.
    elsewhere = browser.new_context().new_page()
    elsewhere.set_content(snippet)
    picture = elsewhere.locator("img")
    expect(picture).to_have_js_property("naturalWidth", 320, timeout=PATIENCE_MS)
    elsewhere.context.close()


def test_a_prediction_opens_the_picture_of_its_moment(page: Page) -> None:
    page.locator(".feed-row", has_text="PARCEL").first.click()
    dialog = page.locator("#moment")
    expect(dialog.locator("canvas")).to_be_visible()
    expect(dialog).to_contain_text(re.compile(r"qr 1 · \d\.\d\d · frame \d+"))
    width = dialog.locator("canvas").evaluate("canvas => canvas.width")
    assert width == 1280
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_labels_and_models_are_hidden_and_shown(page: Page) -> None:
    page.locator("[data-labels]").get_by_role("button", name="motion").click()
    page.evaluate("window.paints.length = 0")
    paints = wait_for_paints(page, "conveyor", 5)
    assert {box["label"] for paint in paints for box in paint["boxes"]} == {"qr"}
    page.locator("[data-labels]").get_by_role("button", name="motion").click()
    page.get_by_role("switch", name="Show what qr 1 sees").click()
    page.evaluate("window.paints.length = 0")
    paints = wait_for_paints(page, "conveyor", 5)
    assert {box["label"] for paint in paints for box in paint["boxes"]} == {"motion"}
    page.get_by_role("switch", name="Show what qr 1 sees").click()


def test_two_models_on_the_same_object_are_compared(
    page: Page, stack: Stack, cameras: Callable[..., str]
) -> None:
    cameras("twin", "demo", "demo:conveyor?line=4", fps="5", max_width="640")
    operator = stack.operator()
    operator.extend_deployment("qr", "conveyor", "twin")
    operator.add_model("qr-next", "builtin-qr")
    operator.deploy("qr-next", "twin", role="shadow")
    page.goto(f"{stack.url}/cameras/twin/")
    expect(page.locator("[data-shared] .chip").first).to_have_text(
        re.compile(r"^PARCEL-\d+ · qr 1 = qr-next 1$"), timeout=PATIENCE_MS
    )
    row = page.locator('[data-model="qr-next"]')
    expect(row).to_contain_text(
        re.compile(r"agrees with qr 1 on \d+(\.\d)? % of \d+ objects"), timeout=PATIENCE_MS
    )
