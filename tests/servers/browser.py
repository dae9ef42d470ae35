"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from .stack import ADMIN, PASSWORD, Stack
from .waiting import wait_until

# Chromium as root needs --no-sandbox; the rest keeps it from calling home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Collects what the tiles say that they painted.
LISTEN = """
window.paints = [];
document.addEventListener("sightline:painted", (event) => {
  window.paints.push(event.detail);
  if (window.paints.length > 5000) window.paints.shift();
});
"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError(
            "chromium is not installed; scripts/install-test-system.sh installs it"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What the browser complained of: errors in the console, exceptions of scripts."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.found.append(message.text)


def log_in(page: Page, stack: Stack, path: str = "/") -> None:
    """Open a page as the administrator."""
    page.add_init_script(LISTEN)
    page.goto(stack.url + path)
    if "/accounts/login/" in page.url:
        give_login(page, ADMIN, PASSWORD)


def give_login(page: Page, username: str, password: str) -> None:
    """Fill in the login page, and wait until the page that was asked for is there."""
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def wait_for_paints(
    page: Page, camera: str, count: int, *, label: str = "", timeout: float = 120
) -> list[dict[str, Any]]:
    """The first ``count`` paints of a camera that had boxes, or boxes of that label;
    TimeoutError after ``timeout`` seconds.
    """
    labelled = (
        f'paint.boxes.some((box) => box.label === "{label}")' if label else "paint.boxes.length"
    )
    chosen = (
        f'window.paints.filter((paint) => paint.camera === "{camera}" && {labelled}).slice(0,'
        f" {count})"
    )

    def enough() -> list[dict[str, Any]] | None:
        # Asked from outside: the page's security policy forbids the polling script that Playwright
        # would put into it.
        paints: list[dict[str, Any]] = page.evaluate(chosen)
        return paints if len(paints) == count else None

    paints = wait_until(
        enough, timeout, f"{count} paints of {camera} with boxes {label}", interval=0.2
    )
    assert paints
    return paints
