"""The wall in a real Chromium, as operators use it: layouts, order, pages, groups, the kiosk.
One web server and one browser for all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute, expect

from sightline.messages import CameraState, Cause, Detection
from tests.servers.browser import LISTEN, chromium, give_login
from tests.servers.proxy import FaultProxy
from tests.servers.waiting import wait_until
from tests.streaming.conftest import Camera, Rolling, noise
from tests.streaming.site import PASSWORD, Site

pytestmark = pytest.mark.slow

PATIENCE = 60  # seconds; two browsers may share two cores
NAMES = ["Dock", "Gate", "Hall", "Mill", "Roof", "Shed", "Yard"]
ADD = """
from cameras.models import Camera, CameraGroup
for slug in ("mill", "roof", "shed"):
    Camera.objects.create(slug=slug, name=slug.title(), kind="demo", url="demo:conveyor")
outside = CameraGroup.objects.create(name="Outside", slug="outside")
outside.cameras.set(Camera.objects.filter(slug__in=["gate", "roof", "yard"]))
"""


@pytest.fixture(scope="module")
def context(site: Site) -> Iterator[BrowserContext]:
    """A browser in which the operator is logged in."""
    site.shell(ADD)
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        context.add_cookies(
            [
                {"name": name, "value": value, "url": site.url}
                for name, value in site.login().cookies.items()
            ]
        )
        yield context


@pytest.fixture
def page(context: BrowserContext, on_site: Site) -> Iterator[Page]:
    """A new tab, in a browser that has kept nothing but the login. Errors of scripts fail the
    test.
    """
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    page.add_init_script(LISTEN)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: (
            wrong.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    yield page
    page.evaluate("localStorage.clear()")
    page.close()
    forget_layouts(context, on_site)
    assert wrong == []


def forget_layouts(context: BrowserContext, site: Site) -> None:
    """Leave nothing for the next test."""
    token = next(cookie["value"] for cookie in context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token}
    for layout in context.request.get(f"{site.url}/layouts/").json()["layouts"]:
        context.request.delete(f"{site.url}/layouts/{layout['id']}/", headers=headers)
    context.request.patch(f"{site.url}/layouts/everyday/", headers=headers, data={"cameras": []})


def shown(page: Page) -> list[str]:
    return [
        str(name)
        for name in page.eval_on_selector_all(
            "#grid [data-camera]:not([hidden])", "tiles => tiles.map((tile) => tile.dataset.name)"
        )
    ]


def wait_for(page: Page, *names: str) -> None:
    wait_until(lambda: shown(page) == list(names), PATIENCE, f"{names}, not {shown(page)}")


def open_wall(page: Page, site: Site, path: str = "/") -> None:
    page.goto(site.url + path)
    # The script has run: it has counted the cameras that it shows.
    expect(page.locator("[data-counters]")).to_be_visible()


def announced(page: Page) -> list[str]:
    return page.locator("#announcer p").all_inner_texts()


def middle(page: Page, camera: str) -> tuple[float, float]:
    """Where a tile's middle is on the screen."""
    box = page.locator(f'[data-camera="{camera}"]').bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def layout_menu(page: Page, action: str) -> None:
    page.locator("[data-layout-menu] summary").click()
    page.locator(f"[data-layout-menu] [data-layout-{action}]").click()


def test_a_layout_is_saved_opened_changed_and_deleted(page: Page, on_site: Site) -> None:
    open_wall(page, on_site)
    page.get_by_role("button", name="2 columns").click()
    page.get_by_role("button", name="Scores").click()
    layout_menu(page, "save-as")
    page.get_by_label("Name", exact=True).fill("Dock east")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Dock east")
    expect(page.get_by_role("button", name="2 columns")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-layout-changed]")).to_be_hidden()

    page.keyboard.press("3")
    page.locator(".layout-changed [data-layout-save]").click()
    expect(page.locator("[data-layout-changed]")).to_be_hidden()
    expect(page.locator(".toast")).to_have_text("“Dock east” was saved.")
    page.reload()
    expect(page.get_by_role("button", name="3 columns")).to_have_attribute("aria-pressed", "true")
    page.evaluate("document.querySelector('[data-layout-save-as]').click()")
    page.get_by_label("Name", exact=True).fill("dock EAST")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(
        "You already have a layout “dock EAST”. Choose another name."
    )
    page.keyboard.press("Escape")

    layout_menu(page, "cameras")
    page.get_by_label("Every camera").uncheck()
    for name in ("Gate", "Hall"):
        page.get_by_label(name, exact=True).uncheck()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    wait_for(page, "Dock", "Mill", "Roof", "Shed", "Yard")
    layout_menu(page, "rename")
    page.get_by_label("Name", exact=True).fill("East")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("East")
    with page.expect_response(lambda answer: "/layouts/" in answer.url and answer.ok):
        layout_menu(page, "default")
    open_wall(page, on_site, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("East")
    wait_for(page, "Dock", "Mill", "Roof", "Shed", "Yard")

    layout_menu(page, "delete")
    with page.expect_navigation():
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    wait_for(page, *NAMES)


def test_a_tile_is_dragged_to_its_place(page: Page, on_site: Site) -> None:
    open_wall(page, on_site)
    places = {name: middle(page, name) for name in ("dock", "hall", "yard")}
    page.mouse.move(*places["dock"])
    page.mouse.down()
    page.mouse.move(*places["hall"], steps=4)
    expect(page.locator(".tile-ghost")).to_have_text("Dock")
    with page.expect_response("**/layouts/everyday/"):
        page.mouse.up()
    wait_for(page, "Gate", "Hall", "Dock", "Mill", "Roof", "Shed", "Yard")
    assert page.url == on_site.url + "/", "dropping is no click on the camera's link"
    page.reload()
    wait_for(page, "Gate", "Hall", "Dock", "Mill", "Roof", "Shed", "Yard")

    page.mouse.move(*middle(page, "dock"))
    page.mouse.down()
    page.mouse.move(*places["yard"], steps=4)
    wait_for(page, "Gate", "Hall", "Mill", "Roof", "Shed", "Yard", "Dock")
    page.keyboard.press("Escape")
    page.mouse.up()
    wait_for(page, "Gate", "Hall", "Dock", "Mill", "Roof", "Shed", "Yard")


def test_a_finger_that_rests_drags_a_tile(page: Page, on_site: Site) -> None:
    open_wall(page, on_site)
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *at: str) -> None:
        points = [dict(zip("xy", middle(page, camera), strict=True)) for camera in at]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", "dock")
    expect(page.locator(".tile-ghost")).to_be_visible()
    touch("touchMove", "gate")
    wait_for(page, "Gate", "Dock", *NAMES[2:])
    with page.expect_response("**/layouts/everyday/"):
        touch("touchEnd")
    expect(page.locator(".tile-ghost")).to_have_count(0)


def test_keys_move_a_tile_and_say_where_it_is(page: Page, on_site: Site) -> None:
    open_wall(page, on_site)
    page.locator("[data-choose=tiles]").evaluate(
        "list => { list.value = 4; list.dispatchEvent(new Event('change')) }"
    )
    wait_for(page, *NAMES[:4])
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    expect(page.get_by_role("link", name="Mill: open")).to_be_focused()
    with page.expect_response("**/layouts/everyday/"):
        page.keyboard.press("Alt+ArrowRight")
    wait_for(page, "Mill", "Shed", "Yard")
    expect(page.get_by_role("link", name="Mill: open")).to_be_focused()
    wait_until(
        lambda: "Mill: place 5 of 7" in announced(page), PATIENCE, "the new place to be announced"
    )


def test_pages_turn_by_keys_and_by_themselves(page: Page, on_site: Site) -> None:
    page.add_init_script('localStorage.setItem("sightline.view", JSON.stringify({ tiles: 4 }))')
    open_wall(page, on_site, "/?cycle=3")
    expect(page.locator("[data-page-number]")).to_have_text("1 / 2")
    page.keyboard.press("PageDown")
    wait_for(page, *NAMES[4:])
    wait_for(page, *NAMES[:4])
    page.keyboard.press(" ")
    expect(page.locator("[data-cycle-pause]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-cycle-progress]")).to_have_class(re.compile("is-paused"))


def test_groups_and_search_choose_cameras(page: Page, on_site: Site) -> None:
    open_wall(page, on_site, "/?group=outside")
    wait_for(page, "Gate", "Roof", "Yard")
    page.get_by_label("Find a camera").fill("ya")
    wait_for(page, "Yard")
    page.get_by_label("Find a camera").fill("hall")
    wait_for(page, "Hall")
    expect(page.locator("[data-elsewhere]")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("navigation", name="Groups").get_by_role("link", name="All").click()
    wait_for(page, *NAMES)
    page.reload()
    wait_for(page, *NAMES)


def test_all_cameras_are_counted_whatever_page_they_are_on(
    page: Page, on_site: Site, new_camera: Callable[[str], Camera]
) -> None:
    page.add_init_script('localStorage.setItem("sightline.view", JSON.stringify({ tiles: 1 }))')
    open_wall(page, on_site)
    cameras = [new_camera(name.lower()) for name in NAMES]

    def counted() -> bool:
        for camera in cameras:
            camera.report(CameraState.STALLED if camera.slug == "yard" else CameraState.LIVE)
        return [
            page.locator(f'[data-counter="{kind}"] b').inner_text() for kind in ("ok", "warn")
        ] == ["6", "1"]

    # The one that is shown sends no pictures, which its tile says.
    wait_until(
        lambda: counted() or page.locator('[data-counter="warn"] b').inner_text() == "2",
        PATIENCE,
        "all cameras to be counted",
    )
    expect(page.locator('[data-camera="yard"]')).to_have_attribute("data-state", "stalled")
    expect(page.locator(".feed")).to_contain_text("Yard stalled")


def test_what_to_check_belongs_to_the_cause(page: Page, on_site: Site, gate: Camera) -> None:
    open_wall(page, on_site)
    tile = page.locator('[data-camera="gate"]')
    hint = tile.locator('[data-part="hint"]')
    # Nothing reports it yet, and the operator is no administrator.
    expect(hint).to_have_text("Ask your administrator to start one.")

    def hint_for(cause: Cause, detail: str) -> str:
        def told() -> bool:
            gate.report(CameraState.UNREACHABLE, detail, cause)
            return tile.locator('[data-part="detail"]').inner_text() == detail

        wait_until(told, PATIENCE, f"the tile to say {detail}")
        return hint.inner_text()

    assert hint_for(Cause.NOT_FOUND, "Check the part of the address after the host.") == ""
    assert hint_for(Cause.NO_ANSWER, "Nobody is there.").startswith("Check its power")


def test_the_filter_counts_for_boxes_and_for_the_list(
    page: Page, on_site: Site, gate: Camera
) -> None:
    open_wall(page, on_site, "/?layout=all")
    page.locator('[data-camera="gate"]').scroll_into_view_if_needed()

    def painted() -> list[set[str]]:
        gate.report()
        frame = gate.show()
        gate.predict(
            frame,
            Detection("sure", 0.9, (0.1, 0.1, 0.3, 0.3)),
            Detection("unsure", 0.3, (0.5, 0.5, 0.8, 0.8)),
        )
        paints: list[dict[str, Any]] = page.evaluate("window.paints.splice(0)")
        return [{box["label"] for box in paint["boxes"]} for paint in paints]

    def wait_for_boxes(*labels: str) -> None:
        wait_until(
            lambda: (seen := painted()) and seen[-1] == set(labels), PATIENCE, f"boxes of {labels}"
        )

    wait_for_boxes("sure", "unsure")
    page.keyboard.press("t")
    page.locator("[data-threshold]").fill("50")
    expect(page.locator("[data-filter-words]")).to_have_text("≥ 50 %")
    wait_for_boxes("sure")
    page.get_by_label("qr 1").uncheck()
    wait_for_boxes()
    page.get_by_role("button", name="Show everything").click()
    wait_for_boxes("sure", "unsure")


def test_on_a_slow_line_pictures_are_smaller_and_new(
    page: Page, on_site: Site, gate: Camera
) -> None:
    with FaultProxy(on_site.port) as line, Rolling(gate, fps=10, jpeg=noise(80_000), width=1280):
        page.goto(f"http://{line.address}/cameras/gate/")
        tile = page.locator('.tile[data-camera="gate"]')
        wait_until(
            lambda: newest_width(page) == 960, PATIENCE, "pictures of the size that is shown"
        )
        line.throttle(30_000)
        wait_until(lambda: 0 < newest_width(page) < 960, PATIENCE, "pictures that the line carries")
        expect(page.locator('[data-card="size"]')).to_contain_text("slow line")
        wait_until(
            lambda: int(tile.get_attribute("data-age") or 0) < 2000,
            PATIENCE,
            "a picture that is new",
        )
        line.forward()
        wait_until(lambda: newest_width(page) == 960, PATIENCE, "the size that is shown")


def newest_width(page: Page) -> int:
    """Of the pictures painted since the last question; 0 when there were none."""
    widths: list[int] = page.evaluate("window.paints.splice(0).map((paint) => paint.width)")
    return widths[-1] if widths else 0


def test_a_kiosk_shows_pictures_alone_until_escape(page: Page, on_site: Site) -> None:
    open_wall_kiosk = f"{on_site.url}/?kiosk=1&cycle=30"
    page.goto(open_wall_kiosk)
    root = page.locator("html")
    wait_for(page, *NAMES)
    expect(page.locator("header.top")).to_be_hidden()
    expect(page.locator(".toolbar")).to_be_hidden()
    expect(root).to_have_class(re.compile("is-idle"))
    assert page.evaluate("getComputedStyle(document.querySelector('.tile-link')).cursor") == "none"
    page.keyboard.press("Escape")
    expect(page.locator("header.top")).to_be_visible()
    assert "kiosk" not in page.url
    page.keyboard.press("f")
    wait_until(lambda: "kiosk=1" in page.url, PATIENCE, "the address to say kiosk")


def test_a_kiosk_loads_a_new_version_of_the_pages_once(page: Page, on_site: Site) -> None:
    loads = []

    def pretend(client: WebSocketRoute) -> None:
        server = client.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if isinstance(message, str) and '"hello"' in message:
                message = json.dumps({**json.loads(message), "version": "99.0"})
            client.send(message)

        server.on_message(pass_on)

    def count(route: Route) -> None:
        loads.append(route.request.url)
        route.continue_()

    page.route_web_socket(re.compile("/ws/wall/"), pretend)
    page.route(re.compile(r"/\?kiosk"), count)
    page.goto(f"{on_site.url}/?kiosk=1")
    wait_until(lambda: page.title() and len(loads) == 2, PATIENCE, "the page to be loaded again")
    expect(page.locator("[data-banner=version]")).to_have_text(
        "Sightline was updated. Reload the page"
    )
    assert len(loads) == 2


def test_who_is_logged_out_is_told_so_in_the_kiosk(
    page: Page, on_site: Site, context: BrowserContext
) -> None:
    page.goto(f"{on_site.url}/?kiosk=1")
    wait_for(page, *NAMES)
    other = context.new_page()
    other.goto(on_site.url)
    other.get_by_role("button", name="Log out").click()
    expect(page.locator("[data-banner=login]")).to_contain_text("You have been logged out.")
    other.goto(on_site.url)
    give_login(other, "olga", PASSWORD)
    expect(page.locator("[data-banner=login]")).to_have_count(0)
    other.close()
