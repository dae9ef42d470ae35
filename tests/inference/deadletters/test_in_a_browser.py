"""The pages in a real browser: nothing is refused by the security policy, and a click does what
it says.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from cameras.models import Camera
from inference.models import ModelVersion
from inference.runtimes.errors import InferenceError
from inference.streams.codec.schema import RecordError
from sightline.kafka import topics
from tests.inference.deadletters.conftest import Graveyard
from tests.servers.browser import Complaints, chromium, give_login
from tests.servers.waiting import wait_until
from tests.support import reading

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, admin_user: User) -> Iterator[Page]:
    """A page of the administrator, who has logged in."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=live_server.url)
    page = context.new_page()
    page.goto("/admin/")
    give_login(page, "admin", "password")
    yield page
    context.close()


def test_letters_are_looked_at_corrected_and_retried(
    graveyard: Graveyard, page: Page, pages: str, dock: Camera, iris: ModelVersion
) -> None:
    graveyard.frame(
        err=InferenceError(
            "Expected a shape of [1, 3, 640, 640], got [1, 3, 320, 320].", permanent=True
        )
    )
    graveyard.record(
        b'{"sepal_length": "long"}',
        RecordError("The field 'sepal_length' must be a number; it is \"long\"."),
    )
    graveyard.record(b'{"sepal_length": 1.1', RecordError('<img src=x onerror="alert(1)">'))
    complaints = Complaints(page)
    page.goto(pages)
    picture = page.locator("img.dl-picture")
    wait_until(lambda: picture.evaluate("image => image.naturalWidth") == 640, 10, "the picture")
    expect(page.locator(".dl-section")).to_have_count(3)
    expect(page.locator(".dl-message").first).to_have_text('<img src=x onerror="alert(1)">')

    page.get_by_role("link", name="0:2").click()
    page.get_by_label("The record as JSON").fill('{"sepal_length": 1.1}')
    page.get_by_role("button", name="Correct and retry").click()
    expect(page.locator(".messagelist")).to_contain_text("Retried. Sent to")
    expect(page.locator(".dl-mark")).to_contain_text("against iris 1 by admin")

    page.goto(pages)
    page.get_by_label("Select 0:0").check()
    page.locator(".dl-section", has=page.get_by_label("Select 0:0")).get_by_role(
        "button", name="Retry selected"
    ).click()
    expect(page.locator(".messagelist")).to_contain_text("The model sees thing 0.90.")

    page.locator(".dl-section", has=page.get_by_label("Select 0:1")).get_by_role(
        "button", name="Retry all of this kind"
    ).click()
    expect(page.locator(".messagelist")).to_contain_text("are being retried")
    with reading(topics.inputs("iris", "1")) as inputs:
        assert [record.value for record in inputs.wait(2)] == [
            b'{"sepal_length": 1.1}',
            b'{"sepal_length": "long"}',
        ]
    assert not complaints.found


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(
    graveyard: Graveyard, page: Page, pages: str, width: int
) -> None:
    graveyard.record(
        b"x" * 5000,
        InferenceError("y" * 900, permanent=True),
        key=b"k" * 300,
        headers=(("h" * 100, b"v" * 400),),
    )
    graveyard.frame()
    page.set_viewport_size({"width": width, "height": 800})
    for place in ("", "0/0/", "0/1/"):
        page.goto(pages + place)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
