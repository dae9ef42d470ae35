"""How soon does the wall, in a real Chromium, say that a camera is gone, and how soon is all well
again?

    python -m benchmarks.outages [--rounds 3]

A camera's RTSP server is stopped and started again, then the web process is killed and its
supervisor starts it again. Each line names the promise.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.servers.browser import chromium, log_in
from tests.servers.rtsp import RtspServer
from tests.servers.stack import Stack
from tests.servers.video import face_video
from tests.servers.waiting import wait_until

# Notes each time that the other camera's tile was not live.
FLINCHES = """
(tile) => {
  window.flinches = 0;
  const flinch = () => (window.flinches += tile.dataset.state !== "live");
  new MutationObserver(flinch).observe(tile, { attributeFilter: ["data-state"] });
}
"""


def seconds_until(condition: Callable[[], bool], what: str) -> float:
    """How long it takes until the condition holds."""
    started = time.monotonic()
    wait_until(condition, 90, what)
    return time.monotonic() - started


def is_live(tile: Locator) -> bool:
    """Whether the tile shows live pictures."""
    return tile.get_attribute("data-state") == "live"


def unplug(page: Page, server: RtspServer) -> None:
    """Stop the camera's server, then start it."""
    porch, other = (page.locator(f'[data-camera="{slug}"]') for slug in ("porch", "conveyor"))
    wait_until(lambda: is_live(porch) and is_live(other), 60, "both cameras to be live")
    other.evaluate(FLINCHES)
    server.stop()
    gone = seconds_until(lambda: not is_live(porch), "the tile to say that the camera is gone")
    wait_until(lambda: porch.get_attribute("data-state") == "unreachable", 60, "the reason")
    server.start()
    back = seconds_until(lambda: is_live(porch), "the camera to be back")
    flinches = page.evaluate("window.flinches")
    print(
        f"camera unplugged: said after {gone:.1f} s (goal 10), live {back:.1f} s after it was back"
        f" (goal 5), the other tile flinched {flinches} times"
    )


def restart_web(page: Page, stack: Stack) -> None:
    """Kill the web process; the page is left alone."""
    tile = page.locator('[data-camera="conveyor"]')
    wait_until(lambda: is_live(tile), 60, "the camera to be live")
    os.kill(stack.pid("web"), signal.SIGKILL)
    gone = seconds_until(lambda: not is_live(tile), "the tile to be greyed")
    back = gone + seconds_until(lambda: is_live(tile), "the page to be back")
    print(
        f"web process killed: tile greyed after {gone:.1f} s, page live again after {back:.1f} s"
        " (goal 10)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as name:
        folder = Path(name)
        with (
            RtspServer(face_video(folder / "face.mp4"), log=folder / "rtsp.log") as server,
            Stack(folder) as stack,
            chromium() as browser,
        ):
            stack.operator().add_camera("porch", "rtsp", server.url)
            page = browser.new_page()
            log_in(page, stack)
            for _ in range(options.rounds):
                unplug(page, server)
                restart_web(page, stack)


if __name__ == "__main__":
    main()
