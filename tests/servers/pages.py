"""The pages of Sightline, as tests and pictures open them: a new page is one line here."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page, expect

from .browser import log_in
from .stack import Stack

PATIENCE_MS = 60_000
LIVE = '[data-camera="conveyor"][data-state="live"]'


@dataclass(frozen=True, slots=True)
class Place:
    """A page in some state. ``ready``: what is to be seen before it is looked at; ``press`` and
    ``click``: what is done then.
    """

    name: str
    path: str
    ready: str
    press: str = ""
    click: str = ""
    then: str = ""
    logged_in: bool = True

    def open(self, page: Page, stack: Stack) -> None:
        """Go there and wait until it is as it should be."""
        if self.logged_in:
            log_in(page, stack, self.path)
        else:
            page.goto(stack.url + self.path)
        expect(page.locator(self.ready).first).to_be_visible(timeout=PATIENCE_MS)
        if self.press:
            page.keyboard.press(self.press)
        if self.click:
            page.locator(self.click).first.click()
        if self.then:
            expect(page.locator(self.then).first).to_be_visible(timeout=PATIENCE_MS)


PLACES = (
    Place("wall", "/", LIVE),
    Place("wall-keys", "/", LIVE, press="?", then="dialog#keys[open]"),
    Place("camera", "/cameras/conveyor/", LIVE),
    Place(
        "camera-link",
        "/cameras/conveyor/",
        LIVE,
        click="[data-stream-link]",
        then="dialog#stream-link[open]",
    ),
    Place("models", "/models/", "[data-model] [data-word]"),
    Place("model", "/models/qr/", "h1"),
    Place("system", "/system/", "[data-workers] tbody tr"),
    Place("dead-letters", "/admin/inference/model/1/deadletters/1/", "h1"),
    Place("admin-camera", "/admin/cameras/camera/1/change/", "h1"),
    Place("admin-model", "/admin/inference/model/add/", "h1"),
    Place("login", "/accounts/login/", "h1", logged_in=False),
)
