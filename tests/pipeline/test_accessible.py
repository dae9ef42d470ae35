"""Every page, light and dark, narrow and wide: usable by everybody, nothing cut off, nothing
that the browser complains of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.servers.browser import Complaints, chromium, log_in
from tests.servers.pages import PLACES, Place
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

SIZES = ((1440, 900), (360, 740))
SCHEMES = ("light", "dark")
# Colours that fade from one scheme to the other are neither.
TRANSITIONS_DONE = (
    "Promise.allSettled(document.getAnimations().filter((one) => one instanceof"
    " CSSTransition).map((one) => one.finished))"
)
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for these tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def visitor(browser: Browser, stack: Stack) -> Iterator[BrowserContext]:
    """Somebody who is logged in."""
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    log_in(page, stack)
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(browser: Browser, visitor: BrowserContext, place: Place) -> Iterator[Page]:
    """A page of the visitor's, or of somebody who is not logged in."""
    context = visitor if place.logged_in else browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    yield page
    page.close()
    if context is not visitor:
        context.close()


def violations(page: Page, scheme: str) -> list[str]:
    """What axe finds serious or critical: rule, what to do, and where. Of all rules only that of
    contrast depends on the scheme.
    """
    options = {"resultTypes": ["violations"]} | (
        {} if scheme == "light" else {"runOnly": ["color-contrast"]}
    )
    found: list[dict[str, Any]] = Axe().run(page, options=options).response["violations"]
    return [
        f"{item['id']}: {item['help']}: {[node['target'] for node in item['nodes']][:4]}"
        for item in found
        if item["impact"] in GRAVE
    ]


def fits(page: Page) -> bool:
    """Whether the page is no wider than its window, once what follows the window's size has done
    so.
    """
    try:
        return bool(
            wait_until(
                lambda: page.evaluate(
                    "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
                ),
                10,
            )
        )
    except TimeoutError:
        return False


@pytest.mark.parametrize("place", PLACES, ids=[place.name for place in PLACES])
def test_a_page_is_accessible_and_fits(page: Page, stack: Stack, place: Place) -> None:
    complaints = Complaints(page)
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
    place.open(page, stack)
    problems = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        if not fits(page):
            problems.append(f"{width} px: the page is wider than the window")
    # Asked before axe works on the page: it tries inline styles itself, which our policy forbids.
    problems += complaints.found
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            page.evaluate(TRANSITIONS_DONE)
            problems += [f"{width} px, {scheme}: {text}" for text in violations(page, scheme)]
    assert not problems, "\n".join(problems)
