"""The model's page and the system's page in a real browser, while all is well and while it is
not.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pipeline.conftest import Apache, Embedded
from tests.servers.browser import Complaints, chromium, log_in, wait_for_paints
from tests.servers.stack import Stack

PATIENCE = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@contextlib.contextmanager
def stopped(stack: Stack, broker: Embedded | Apache) -> Iterator[None]:
    """The broker holds its connections open and answers nothing."""
    pid = broker.server.pid if isinstance(broker, Apache) else stack.pid("broker")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("broker", ["embedded"], indirect=True, scope="session")
def test_a_models_page_shows_what_it_does_and_sees(stack: Stack, page: Page) -> None:
    complaints = Complaints(page)
    log_in(page, stack, "/models/")
    row = page.locator('tr[data-model="qr"]')
    expect(row.locator("[data-word]")).to_have_text("works", timeout=PATIENCE)
    expect(row.locator("[data-predicted]")).to_have_text(
        re.compile(r"^[1-9]\d*\.\d /s$"), timeout=PATIENCE
    )
    row.get_by_role("link").click()

    version = page.locator('[data-version="1"]')
    expect(version.locator("[data-word]")).to_have_text("works", timeout=PATIENCE)
    expect(version.locator('[data-number="predicted"]')).to_have_text(
        re.compile(r"^[1-9]\d*\.\d /s$"), timeout=PATIENCE
    )
    expect(version.locator('[data-number="latency_p95"]')).to_have_text(
        re.compile(r"\d m?s$"), timeout=PATIENCE
    )
    expect(page.locator('[data-chart="rate"] canvas')).to_be_visible(timeout=PATIENCE)
    painted = wait_for_paints(page, "conveyor", 3)
    assert {box["model"] for paint in painted for box in paint["boxes"]} == {"qr"}, (
        "boxes of this model alone"
    )
    expect(page.locator("#feed .feed-row").first).to_contain_text("PARCEL-", timeout=PATIENCE)
    expect(page.locator("[data-letters-empty]")).to_contain_text("None.", timeout=PATIENCE)
    page.screenshot(path=stack.folder / "model.png", full_page=True)
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/models/$"))
    assert not complaints.found


def test_the_system_page_says_what_ails(
    stack: Stack, broker: Embedded | Apache, page: Page
) -> None:
    complaints = Complaints(page)
    log_in(page, stack, "/system/")
    workers, kafka, database = (
        page.locator(f'[data-part="{name}"]') for name in ("workers", "kafka", "database")
    )
    for role in ("web", "capture", "infer", "records", "imprint", "jobs"):
        expect(page.locator(f'tr[data-role="{role}"][data-kind="ok"]').first).to_be_visible(
            timeout=PATIENCE
        )
    for part in (kafka, database):
        expect(part).to_have_attribute("data-kind", "ok", timeout=PATIENCE)
    page.get_by_label("Name holds").fill("conveyor.frames")
    frames = page.locator("[data-topics] tbody tr")
    expect(frames).to_have_count(1, timeout=PATIENCE)
    expect(frames.locator('[data-label="About, in all"]')).to_have_text(
        re.compile(r"\d (kB|MB)$"), timeout=PATIENCE
    )

    killed = stack.pid("infer")
    os.kill(killed, signal.SIGKILL)
    gone = page.locator(f'tr[data-worker$="-{killed}"]')
    expect(gone).to_contain_text(
        re.compile("ended without a word|has said nothing for"), timeout=PATIENCE
    )
    expect(workers.locator(".finding").first).to_contain_text(str(killed), timeout=PATIENCE)
    page.screenshot(path=stack.folder / "system-killed.png", full_page=True)

    with stopped(stack, broker):
        expect(kafka).to_have_attribute("data-kind", "bad", timeout=PATIENCE)
        expect(kafka).to_contain_text("Kafka does not answer.")
        expect(page.locator("[data-overall]")).to_contain_text(
            "Needs somebody now: Kafka.", timeout=PATIENCE
        )
        expect(page.locator("[data-topics-empty]")).to_contain_text(
            "nothing is known of the topics"
        )
        expect(database).to_have_attribute("data-kind", "ok")
        page.screenshot(path=stack.folder / "system-stopped.png", full_page=True)
    expect(kafka).to_have_attribute("data-kind", "ok", timeout=PATIENCE)
    expect(page.locator('tr[data-role="infer"][data-kind="ok"]')).to_be_visible(timeout=PATIENCE)
    assert not complaints.found
