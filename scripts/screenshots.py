"""Makes the pictures in docs/images: a real Sightline with real cameras, looked at with a real Chromium.

python scripts/screenshots.py
"""

from __future__ import annotations

import contextlib
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
from playwright.sync_api import Browser, Page, expect

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from tests.servers.browser import chromium, log_in, wait_for_paints  # noqa: E402
from tests.servers.login import Login  # noqa: E402
from tests.servers.mjpeg import MjpegServer  # noqa: E402
from tests.servers.rtsp import RtspServer  # noqa: E402
from tests.servers.stack import Stack  # noqa: E402
from tests.servers.video import picture_video  # noqa: E402

IMAGES = HOME / "docs" / "images"
WIDE = (1440, 810)
NARROW = (390, 844)


def picture(name: str) -> bytes:
    """A photograph that scikit-image carries, cut to 16:9, as a JPEG."""
    photo: NDArray[np.uint8] = getattr(skimage.data, name)()
    height = photo.shape[1] * 9 // 16
    top = (photo.shape[0] - height) // 2
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(photo[top : top + height, :, :3]), quality=90, colorspace="RGB"))


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
    """A Sightline with six cameras: two belts, a face at a gate, a still life, one that will fall silent, one that wants another password."""
    with tempfile.TemporaryDirectory(prefix="sightline-pictures-") as name, contextlib.ExitStack() as servers:
        folder = Path(name)
        gate = servers.enter_context(RtspServer(picture_video(folder / "gate.mp4", portrait()), log=folder / "rtsp.log"))
        canteen = servers.enter_context(MjpegServer([picture("coffee")]))
        workshop = servers.enter_context(MjpegServer([picture("chelsea")]))
        yard = servers.enter_context(MjpegServer([picture("rocket")], login=Login("root", "not-the-one")))
        stack = servers.enter_context(Stack(folder))
        operator = stack.operator()
        operator.add_camera("conveyor-2", "demo", "demo:conveyor?line=2", name="Conveyor 2")
        operator.add_camera("gate", "rtsp", gate.url, name="Gate A")
        operator.add_camera("canteen", "mjpeg", canteen.url, name="Canteen")
        operator.add_camera("workshop", "mjpeg", workshop.url, name="Workshop")
        operator.add_camera("yard", "mjpeg", yard.url, name="Yard", username="root", new_password="wrong")
        operator.extend_deployment("qr", "conveyor", "conveyor-2")
        operator.deploy_runtime("faces", "builtin-faces", "gate")
        yield Site(stack, workshop)


@contextlib.contextmanager
def opened(browser: Browser, site: Site, path: str, size: tuple[int, int], scheme: str) -> Iterator[Page]:
    """A page of the site."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    log_in(page, site.stack, path)
    yield page
    context.close()


def shoot_wall(browser: Browser, site: Site, scheme: str) -> None:
    """The wall while one camera falls silent."""
    site.workshop.faults.silent = False
    with opened(browser, site, "/", WIDE, scheme) as page:
        workshop = page.locator('[data-camera="workshop"]')
        expect(workshop).to_have_attribute("data-state", "live", timeout=60_000)
        site.workshop.faults.silent = True
        expect(workshop).to_have_attribute("data-state", "stalled", timeout=60_000)
        expect(page.locator('[data-camera="yard"]')).to_have_attribute("data-state", "auth-failed", timeout=60_000)
        wait_for_paints(page, "gate", 3)
        wait_for_paints(page, "conveyor-2", 20)
        page.screenshot(path=IMAGES / f"wall-{scheme}.jpg", type="jpeg", quality=88)


def shoot(browser: Browser, site: Site, name: str, path: str, size: tuple[int, int], scheme: str) -> None:
    """One picture of one page."""
    with opened(browser, site, path, size, scheme) as page:
        if not path.startswith("/admin/"):
            wait_for_paints(page, "conveyor", 60)
        page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=88, full_page=path.startswith("/admin/"))


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with site() as place, chromium() as browser:
        for scheme in ("dark", "light"):
            shoot_wall(browser, place, scheme)
            shoot(browser, place, f"camera-{scheme}", "/cameras/conveyor/", WIDE, scheme)
        shoot(browser, place, "wall-narrow", "/", NARROW, "dark")
        shoot(browser, place, "camera-narrow", "/cameras/conveyor/", NARROW, "light")
        shoot(browser, place, "admin-camera", "/admin/cameras/camera/1/change/", WIDE, "light")


if __name__ == "__main__":
    main()
