"""The pages in a real browser: what operators see is what is there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cameras.sources.demo.scene import Conveyor
from inference.runtimes.boxes import iou
from sightline.messages import Box
from tests.servers.browser import Complaints, chromium, log_in, wait_for_paints
from tests.servers.rtsp import RtspServer
from tests.servers.stack import Stack
from tests.servers.video import FACE_BOX

# What is the page's own doing is tested on one broker, the real one.
pytestmark = pytest.mark.parametrize("broker", ["kafka"], indirect=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for these tests; while it is open, this thread's event loop runs, in which no
    asynchronous test can.
    """
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page with a profile of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


def read_codes(paint: dict[str, Any]) -> dict[str, Box]:
    """The QR boxes that were drawn with a frame, by their texts."""
    return {box["text"]: (*box["box"],) for box in paint["boxes"] if box["label"] == "qr"}


def drawn_truly(paint: dict[str, Any]) -> bool:
    """Whether the QR boxes drawn with a frame are those of that very frame."""
    expected = {item.text: item.box for item in Conveyor().expected(paint["seq"])}
    drawn = read_codes(paint)
    return drawn.keys() == expected.keys() and all(
        iou(drawn[text], expected[text]) > 0.7 for text in expected
    )


def test_the_wall_draws_the_boxes_over_the_right_frame(stack: Stack, page: Page) -> None:
    complaints = Complaints(page)
    log_in(page, stack)
    # A frame whose predictions are not there after 250 ms is painted without them, which a busy
    # machine makes happen; wrong boxes never may.
    paints = wait_for_paints(page, "conveyor", 100, label="qr")
    assert sum(drawn_truly(paint) for paint in paints) >= len(paints) - 1
    tile = page.locator('[data-camera="conveyor"]')
    expect(tile).to_have_attribute("data-state", "live")
    assert not complaints.found


def test_a_face_over_rtsp_is_boxed_on_the_page(
    stack: Stack, page: Page, cameras: Callable[..., str], face_camera: RtspServer
) -> None:
    cameras("lobby", "rtsp", face_camera.url)
    stack.operator().deploy_runtime("faces", "builtin-faces", "lobby")
    log_in(page, stack, "/cameras/lobby/")
    paint = wait_for_paints(page, "lobby", 1, label="face")[0]
    box = next(box for box in paint["boxes"] if box["label"] == "face")
    assert iou(tuple(box["box"]), FACE_BOX) > 0.5


def test_a_camera_that_goes_says_so_on_its_tile(
    stack: Stack, page: Page, cameras: Callable[..., str], face_camera: RtspServer
) -> None:
    cameras("porch", "rtsp", face_camera.url)
    log_in(page, stack)
    tile = page.locator('[data-camera="porch"]')
    expect(tile).to_have_attribute("data-state", "live", timeout=30_000)
    face_camera.stop()
    try:
        expect(tile).not_to_have_attribute("data-state", "live", timeout=30_000)
        expect(page.locator('[data-camera="conveyor"]')).to_have_attribute("data-state", "live")
    finally:
        face_camera.start()
    expect(tile).to_have_attribute("data-state", "live", timeout=60_000)


def test_the_page_goes_on_by_itself_when_the_web_process_is_restarted(
    stack: Stack, page: Page
) -> None:
    log_in(page, stack)
    tile = page.locator('[data-camera="conveyor"]')
    expect(tile).to_have_attribute("data-state", "live", timeout=30_000)
    page.evaluate("window.sameDocument = true")
    os.kill(stack.pid("web"), signal.SIGKILL)
    expect(tile).not_to_have_attribute("data-state", "live", timeout=30_000)
    expect(tile).to_have_attribute("data-state", "live", timeout=60_000)
    assert page.evaluate("window.sameDocument")


def test_a_camera_deleted_while_it_is_watched_says_so(
    stack: Stack, page: Page, cameras: Callable[..., str]
) -> None:
    cameras("attic", "demo", "demo:conveyor?line=5")
    log_in(page, stack)
    tile = page.locator('[data-camera="attic"]')
    expect(tile).to_have_attribute("data-state", "live", timeout=30_000)
    stack.operator().delete_camera("attic")
    expect(tile).to_have_attribute("data-state", "deleted", timeout=40_000)
    expect(tile).to_contain_text("removed")
