"""A wall of 36 cameras in a real browser, which over plain HTTP/1.1 opens six connections to a
server at most.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.servers.browser import Complaints, chromium, log_in
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

pytestmark = pytest.mark.parametrize("broker", ["embedded"], indirect=True)

TILES = 36
MOVED = f"""
() => {{
  const seen = {{}};
  for (const {{ camera, seq }} of window.paints) (seen[camera] ??= new Set()).add(seq);
  return Object.values(seen).filter((seqs) => seqs.size >= 3).length >= {TILES};
}}
"""

# Not by the admin's form, where each would take a second or more.
ADD = """
from cameras.models import Camera
for number, slug in enumerate({slugs}):
    url = f"demo:conveyor?line={{number % 20 + 1}}&size=640x360"
    Camera.objects.create(slug=slug, name=slug, kind="demo", url=url, fps=5)
"""


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a browser of its own."""
    with chromium() as browser:
        yield browser.new_page(viewport={"width": 1920, "height": 1080})


@pytest.fixture
def belts(stack: Stack) -> Iterator[list[str]]:
    """Demo cameras; with the one that is there they are 36."""
    slugs = [f"belt-{number}" for number in range(1, TILES)]
    stack.shell(ADD.format(slugs=slugs))
    yield slugs
    stack.operator().delete_cameras(*slugs)


def test_all_of_36_tiles_move_over_one_socket(stack: Stack, belts: list[str], page: Page) -> None:
    complaints = Complaints(page)
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    log_in(page, stack)
    wait_until(lambda: page.evaluate(MOVED), 120, "all tiles to move", interval=0.5)
    assert len(sockets) == 1
    assert not complaints.found
