"""Makes the pictures in docs/images: a real Sightline with real cameras, looked at with a real
Chromium.

python scripts/screenshots.py
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import skimage.data
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, StorageState, expect

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from tests.servers.browser import chromium, log_in, wait_for_paints  # noqa: E402
from tests.servers.login import Login  # noqa: E402
from tests.servers.mjpeg import MjpegServer  # noqa: E402
from tests.servers.pages import LIVE, PATIENCE_MS, PLACES, Place  # noqa: E402
from tests.servers.rtsp import RtspServer  # noqa: E402
from tests.servers.stack import Stack  # noqa: E402
from tests.servers.video import picture_video  # noqa: E402

IMAGES = HOME / "docs" / "images"
WIDE = (1440, 810)
NARROW = (390, 844)
QUALITY = 74
BUSY_SECONDS = 240.0
PAGES = [place for place in PLACES if not place.then]  # without the dialogs on them


def picture(name: str) -> bytes:
    """A photograph that scikit-image carries, cut to 16:9, as a JPEG."""
    photo: NDArray[np.uint8] = getattr(skimage.data, name)()
    height = photo.shape[1] * 9 // 16
    top = (photo.shape[0] - height) // 2
    return bytes(
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(photo[top : top + height, :, :3]), quality=90, colorspace="RGB"
        )
    )


def portrait() -> NDArray[np.uint8]:
    """The astronaut's portrait, cut to 1280 x 720."""
    photo = cv2.resize(skimage.data.astronaut(), (1280, 1280), interpolation=cv2.INTER_CUBIC)  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(photo[90:810], dtype=np.uint8)


@dataclass(frozen=True)
class Site:
    """What is photographed."""

    stack: Stack
    workshop: MjpegServer


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """A Sightline with six cameras: two belts, a face at a gate, a still life, one that will
    fall silent, one that wants another password.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sightline-pictures-") as name,
        contextlib.ExitStack() as servers,
    ):
        folder = Path(name)
        gate = servers.enter_context(
            RtspServer(picture_video(folder / "gate.mp4", portrait()), log=folder / "rtsp.log")
        )
        canteen = servers.enter_context(MjpegServer([picture("coffee")]))
        workshop = servers.enter_context(MjpegServer([picture("chelsea")]))
        yard = servers.enter_context(
            MjpegServer([picture("rocket")], login=Login("root", "not-the-one"))
        )
        stack = servers.enter_context(Stack(folder))
        operator = stack.operator()
        operator.add_camera("conveyor-2", "demo", "demo:conveyor?line=2", name="Conveyor 2")
        operator.add_camera("gate", "rtsp", gate.url, name="Gate A")
        operator.add_camera("canteen", "mjpeg", canteen.url, name="Canteen")
        operator.add_camera("workshop", "mjpeg", workshop.url, name="Workshop")
        operator.add_camera(
            "yard", "mjpeg", yard.url, name="Yard", username="root", new_password="wrong"
        )
        operator.extend_deployment("qr", "conveyor", "conveyor-2")
        operator.deploy_runtime("faces", "builtin-faces", "gate")
        yield Site(stack, workshop)


@dataclass(frozen=True)
class Photographer:
    """Opens pages as the administrator, or as nobody, and takes pictures of them."""

    browser: Browser
    site: Site
    login: StorageState

    @contextlib.contextmanager
    def opened(
        self, size: tuple[int, int], scheme: str, *, logged_in: bool = True
    ) -> Iterator[Page]:
        """A page in a profile of its own."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            storage_state=self.login if logged_in else None,
        )
        yield context.new_page()
        context.close()

    def shoot_wall(self, scheme: str) -> None:
        """The wall while one camera falls silent."""
        self.site.workshop.faults.silent = False
        with self.opened(WIDE, scheme) as page:
            log_in(page, self.site.stack)
            workshop = page.locator('[data-camera="workshop"]')
            expect(workshop).to_have_attribute("data-state", "live", timeout=PATIENCE_MS)
            self.site.workshop.faults.silent = True
            expect(workshop).to_have_attribute("data-state", "stalled", timeout=PATIENCE_MS)
            expect(page.locator('[data-camera="yard"]')).to_have_attribute(
                "data-state", "auth-failed", timeout=PATIENCE_MS
            )
            wait_for_paints(page, "gate", 3, timeout=BUSY_SECONDS)
            wait_for_paints(page, "conveyor-2", 20, timeout=BUSY_SECONDS)
            save(page, f"wall-{scheme}")

    def show_tiles(self, page: Page) -> None:
        """Tiles that are not in sight are not painted: look at them once."""
        tile = page.locator('[data-camera="conveyor"]').first
        tile.scroll_into_view_if_needed()
        expect(tile).to_have_attribute("data-painted", re.compile(r"\d"), timeout=PATIENCE_MS)
        page.evaluate("scrollTo(0, 0)")

    def shoot(self, place: Place, size: tuple[int, int], scheme: str, name: str) -> None:
        """One picture of one page."""
        with self.opened(size, scheme, logged_in=place.logged_in) as page:
            place.open(page, self.site.stack)
            if place.ready == LIVE:
                wait_for_paints(page, "conveyor", 20, timeout=BUSY_SECONDS)
            elif place.name == "model":
                self.show_tiles(page)
            save(
                page,
                name,
                whole=place.path.startswith(("/admin/", "/system/", "/models/", "/cameras/")),
            )


def save(page: Page, name: str, *, whole: bool = False) -> None:
    """Write the picture into docs/images; ``whole``: the page to its end."""
    page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=QUALITY, full_page=whole)


def photographer(browser: Browser, site: Site) -> Photographer:
    """Somebody who is logged in."""
    context = browser.new_context()
    page = context.new_page()
    log_in(page, site.stack)
    login = context.storage_state()
    context.close()
    return Photographer(browser, site, login)


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with site() as stage, chromium() as browser:
        someone = photographer(browser, stage)
        for scheme in ("dark", "light"):
            someone.shoot_wall(scheme)
            for place in PAGES:
                if place.name != "wall":
                    someone.shoot(place, WIDE, scheme, f"{place.name}-{scheme}")
                someone.shoot(place, NARROW, scheme, f"{place.name}-narrow-{scheme}")


if __name__ == "__main__":
    main()
