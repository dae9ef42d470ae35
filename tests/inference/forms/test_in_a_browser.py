"""The pages in a real browser: what is shown for each choice, and that the security policy
refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from cameras.models import Camera
from inference.models import Deployment, ModelVersion
from tests.inference.forms.conftest import picture
from tests.servers.browser import Complaints, chromium, give_login

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
ADD = "/admin/inference/model/add/"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Browser, live_server: LiveServer, admin_user: User) -> Iterator[Any]:
    """Opens a page of the administrator, who has logged in; with or without JavaScript."""
    contexts = []

    def opened(path: str, **options: Any) -> Page:
        context = browser.new_context(
            viewport={"width": 1440, "height": 1000}, base_url=live_server.url, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        give_login(page, "admin", "password")
        return page

    yield opened
    for context in contexts:
        context.close()


def choose(page: Page, runtime: str) -> None:
    page.get_by_role("radio", name=runtime).check()


def test_only_the_fields_of_the_chosen_runtime_are_shown(open_page: Any) -> None:
    page = open_page(ADD)
    complaints = Complaints(page)
    address, width = page.get_by_label("Address"), page.locator("#id_versions-0-o-builtin-qr-width")
    expect(page.locator("#id_versions-0-file")).to_be_visible()
    expect(address).to_be_hidden()
    choose(page, "TensorFlow Serving, gRPC")
    expect(address).to_be_visible()
    expect(page.locator("#id_versions-0-file")).to_be_hidden()
    address.fill("10.0.0.5:8500")
    choose(page, "KServe v2 (Triton, OpenVINO, MLServer), gRPC")
    expect(address).to_have_value("10.0.0.5:8500")
    page.get_by_role("radio", name="Records from a topic").check()
    expect(page.get_by_label("Features")).to_be_visible()
    expect(page.get_by_label("Adapter", exact=True)).to_be_hidden()
    choose(page, "QR codes (built in)")
    expect(width).to_be_visible()
    expect(page.get_by_role("radio", name="Pictures of cameras")).to_be_checked()
    assert not complaints.found


def test_a_model_is_read_tried_and_saved(open_page: Any, squares: Path, dock: Camera) -> None:
    page = open_page(ADD)
    complaints = Complaints(page)
    page.locator("#id_name").press_sequentially("Squares")
    page.set_input_files("#id_versions-0-file", str(squares))
    page.get_by_role("button", name="Read from the model").click()
    expect(page.locator("[data-told]")).to_contain_text("any × 3 × 128 × 128")
    expect(page.get_by_label("Adapter", exact=True)).to_have_value("yolo")
    page.set_input_files(
        "#try-picture", {"name": "a.png", "mimeType": "image/png", "buffer": picture()}
    )
    page.get_by_role("button", name="Try it").click()
    expect(page.locator(".mf-picture rect")).to_have_count(2)
    expect(page.locator("[data-result]")).to_contain_text("red")
    assert not ModelVersion.objects.exists()

    page.get_by_role("radio", name="As JSON").check()
    page.get_by_role("radio", name="In fields").check()
    expect(page.get_by_label("Adapter", exact=True)).to_be_visible()
    page.get_by_label("Dock").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")
    version = ModelVersion.objects.get()
    assert (version.model.slug, version.options["output"]["adapter"]) == ("squares", "yolo")
    assert list(Deployment.objects.get().cameras.all()) == [dock]
    assert not complaints.found


def test_json_and_fields_turn_into_each_other(open_page: Any, qr: ModelVersion) -> None:
    page = open_page(f"/admin/inference/modelversion/{qr.pk}/change/")
    width, text = page.locator("#id_o-builtin-qr-width"), page.get_by_label("Options as JSON")
    width.fill("800")
    page.get_by_role("radio", name="As JSON").check()
    expect(text).to_have_value('{\n  "width": 800\n}')
    text.fill('{"colour": 1}')
    page.get_by_role("radio", name="In fields").click()  # goes back by itself
    expect(page.locator(".errorlist")).to_contain_text("'colour' is not known")
    expect(text).to_be_visible()
    text.fill('{"width": 1000}')
    page.get_by_role("radio", name="In fields").check()
    expect(width).to_have_value("1000")


def test_what_a_model_says_is_text(open_page: Any, settings: Any, squares: Path) -> None:
    page = open_page(ADD)
    complaints = Complaints(page)
    page.set_input_files("#id_versions-0-file", str(squares))
    page.get_by_label("Adapter", exact=True).select_option("yolo")
    page.locator("#id_versions-0-o-output-yolo-labels").fill(
        '<img src=x onerror="alert(1)">\ngreen\nblue'
    )
    page.set_input_files(
        "#try-picture", {"name": "a.png", "mimeType": "image/png", "buffer": picture()}
    )
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("[data-result] table").first).to_contain_text(
        '<img src=x onerror="alert(1)">'
    )
    expect(page.locator("[data-result] img")).to_have_count(1)
    assert not complaints.found


def test_without_javascript_a_model_is_added_all_the_same(open_page: Any, dock: Camera) -> None:
    page = open_page(ADD, java_script_enabled=False)
    expect(page.get_by_label("Address")).to_be_visible()
    expect(page.locator("#id_versions-0-o-output-ssd-boxes")).to_be_visible()
    page.locator("#id_name").fill("Codes")
    page.locator("#id_slug").fill("codes")
    choose(page, "QR codes (built in)")
    page.locator("#id_versions-0-o-builtin-qr-width").fill("700")
    page.locator(".mf-cameras select").select_option(label="Dock")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")
    assert ModelVersion.objects.get().options == {"width": 700}
    assert Deployment.objects.get().version.model.slug == "codes"


def test_a_deployment_shows_the_fields_of_its_kind(open_page: Any, qr: ModelVersion) -> None:
    page = open_page("/admin/inference/deployment/add/")
    expect(page.locator(".field-cameras")).to_be_visible()
    page.get_by_label("Kind").select_option("records")
    expect(page.locator(".field-cameras")).to_be_hidden()
    expect(page.get_by_label("Delivery")).to_have_value("every")


@pytest.mark.parametrize("width", [1440, 900, 390])
def test_nothing_is_wider_than_the_window(open_page: Any, qr: ModelVersion, width: int) -> None:
    page = open_page(ADD)
    page.set_viewport_size({"width": width, "height": 800})
    for path in (
        ADD,
        f"/admin/inference/model/{qr.model_id}/change/",
        f"/admin/inference/modelversion/{qr.pk}/change/",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_cameras_are_found_and_chosen_among_two_thousand(open_page: Any) -> None:
    Camera.objects.bulk_create(
        Camera(slug=f"c{number}", name=f"Hall {number:04}", kind="demo", url="demo:conveyor")
        for number in range(2000)
    )
    page = open_page(ADD)
    complaints = Complaints(page)
    picker = page.locator(".mf-cameras")
    boxes = picker.get_by_role("checkbox", name="Hall")
    expect(boxes).to_have_count(200)

    picker.get_by_label("Search cameras").fill("hall 012")
    expect(boxes).to_have_count(10)
    picker.get_by_role("button", name="Select all found").click()
    picker.get_by_label("Hall 0125").press("Space")

    expect(picker.get_by_role("status")).to_contain_text("9 of 2000 chosen")
    assert picker.locator("option:checked").count() == 9
    assert len(page.request.get(ADD).body()) < 400_000
    assert not complaints.found
