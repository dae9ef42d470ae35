"""Signed links: who has one sees one camera for a while, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera as CameraRow
from streaming.hub.hub import Hub
from streaming.mjpeg.request import StreamOptions, StreamRequest
from streaming.visitors import links
from streaming.visitors import visitor as visitors
from streaming.visitors.links import (
    LINK_SECONDS,
    Link,
    LinkKind,
    open_link,
)
from streaming.visitors.visitor import Visitor
from tests.streaming.conftest import Camera, Rolling

pytestmark = pytest.mark.django_db(transaction=True)

STREAM = {"kind": "stream", "fps": "5", "width": "640", "overlay": "1"}


@pytest.fixture(autouse=True)
def row() -> CameraRow:
    CameraRow.objects.create(
        slug="yard", name="Yard", kind="demo", url="demo:conveyor", imprint=True
    )
    return CameraRow.objects.create(
        slug="gate", name="Gate", kind="demo", url="demo:conveyor", imprint=True
    )


@pytest.fixture
def olga() -> User:
    return User.objects.create_user("olga")


@pytest.fixture
def page(olga: User) -> Client:
    client = Client()
    client.force_login(olga)
    return client


@pytest.fixture
def make(page: Client) -> Callable[..., str]:
    """Asks for a link as the page does; its path and query."""

    def make(**fields: str) -> str:
        answer = page.post("/cameras/gate/links/", fields or STREAM)
        assert answer.status_code == 200, answer.content
        parts = urlsplit(answer.json()["url"])
        return f"{parts.path}?{parts.query}"

    return make


def key_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["key"][0]


def test_a_link_opens_the_stream_without_a_login(make: Callable[..., str]) -> None:
    address = make()
    assert address.startswith("/cameras/gate/stream.mjpg?overlay=1&fps=5&width=640&key=")
    answer = Client().head(address)
    assert (answer.status_code, answer["Cross-Origin-Resource-Policy"]) == (200, "cross-origin")


def test_a_link_opens_the_snapshot(make: Callable[..., str], hub: Hub, gate: Camera) -> None:
    with Rolling(gate):
        answer = Client().get(make(kind="snapshot"))
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")


def test_other_sites_show_no_picture_without_a_link(page: Client) -> None:
    assert page.head("/cameras/gate/stream.mjpg")["Cross-Origin-Resource-Policy"] == "same-origin"


ALTERATIONS: dict[str, Callable[[str], str]] = {
    "no key": lambda address: address.replace(key_of(address), ""),
    "half a key": lambda address: address[:-20],
    "longer": lambda address: address + "x",
    "another user": lambda address: address.replace(key_of(address), "999" + key_of(address)[1:]),
    "a later time": lambda address: address.replace(
        key_of(address),
        ":".join([key_of(address).split(":")[0], "zzzzzz", key_of(address).split(":")[2]]),
    ),
    "another signature": lambda address: address[:-1] + ("A" if address[-1] != "A" else "B"),
    "another camera": lambda address: address.replace("gate", "yard"),
    "another kind": lambda address: address.replace("stream.mjpg", "snapshot.jpg"),
    "more frames": lambda address: address.replace("fps=5", "fps=50"),
    "no width": lambda address: address.replace("width=640&", ""),
    "without boxes": lambda address: address.replace("overlay=1", "overlay=0"),
    "nonsense beside it": lambda address: address.replace("fps=5", "fps=x"),
    "no number": lambda address: address.replace(key_of(address), "x:y:z"),
    "a strange number": lambda address: address.replace(key_of(address), "%C2%B2:y:z"),
    "a large number": lambda address: address.replace(key_of(address), "9" * 60 + ":y:z"),
    "a huge key": lambda address: address.replace(key_of(address), "1" * 5000),
}


def test_an_altered_link_opens_nothing(make: Callable[..., str], page: Client) -> None:
    good = make()
    for name, alter in ALTERATIONS.items():
        address = alter(good)
        assert address != good
        answer = Client().get(address)
        assert (answer.status_code, answer.content.decode()) == (403, links.NOT_VALID + "\n"), name
        assert Client().head(address).status_code == 403, name
        # Not even for who is logged in, who would think that the link is good.
        assert page.get(address).status_code == 403, name
    assert Client().head(good).status_code == 200


def test_a_link_expires(make: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    address = make()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LINK_SECONDS - 30)
    assert Client().head(address).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + LINK_SECONDS + 30)
    answer = Client().get(address)
    assert (answer.status_code, answer.content.decode()) == (403, links.EXPIRED + "\n")


def _deactivate(user: User) -> None:
    user.is_active = False


def _change_password(user: User) -> None:
    user.set_password("another horse 8 battery")


@pytest.fixture
def opened(make: Callable[..., str]) -> StreamRequest:
    """A stream that was opened by a link."""
    holder = open_link(
        Link(LinkKind.STREAM, "gate", StreamOptions(fps=5).query), key_of(make(fps="5"))
    )
    asked = StreamRequest(Visitor(link=holder), "gate", StreamOptions(fps=5), holder.user_pk)
    assert asked.allowed()
    return asked


@pytest.mark.parametrize("change", [_deactivate, _change_password])
def test_it_ends_with_what_its_user_loses(
    make: Callable[..., str], opened: StreamRequest, olga: User, change: Callable[[User], None]
) -> None:
    address = make()
    change(olga)
    olga.save()
    assert Client().head(address).status_code == 403
    assert not opened.allowed()


def test_it_ends_with_its_user(make: Callable[..., str], opened: StreamRequest, olga: User) -> None:
    address = make()
    olga.delete()
    assert Client().head(address).status_code == 403
    assert not opened.allowed()


def test_it_ends_with_the_permission_to_see_the_camera(
    make: Callable[..., str], opened: StreamRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = make()
    monkeypatch.setattr(
        visitors, "visible_cameras", lambda _user: CameraRow.objects.exclude(slug="gate")
    )
    assert Client().get(address).status_code == 403
    assert not opened.allowed()


def test_logging_out_does_not_end_it(page: Client, opened: StreamRequest) -> None:
    page.post("/accounts/logout/")
    assert opened.allowed()


def test_what_it_opened_does_not_last_for_ever(
    opened: StreamRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + settings.STREAM_LINK_HOURS * 3600 + 1)
    assert not opened.allowed()


def test_no_link_is_made_for_nonsense(page: Client) -> None:
    for fields, sentence in (
        ({"fps": "1000"}, "fps is between 0.1 and 60."),
        ({"width": "wide"}, "width is a number."),
        ({"overlay": "yes"}, "overlay is 1 (predictions drawn in) or 0."),
        ({"kind": "film"}, "kind is stream or snapshot."),
    ):
        answer = page.post("/cameras/gate/links/", fields)
        assert (answer.status_code, answer.json()) == (400, {"error": sentence})


def test_no_link_is_made_for_what_is_not_there(page: Client, row: CameraRow) -> None:
    assert page.post("/cameras/vault/links/", STREAM).status_code == 404
    CameraRow.objects.filter(pk=row.pk).update(imprint=False)
    assert "imprint" in page.post("/cameras/gate/links/", STREAM).json()["error"]
    CameraRow.objects.filter(pk=row.pk).update(enabled=False)
    assert page.post("/cameras/gate/links/", {}).status_code == 503


def test_links_are_made_by_who_is_logged_in_on_our_own_pages(page: Client, olga: User) -> None:
    answer = Client().post("/cameras/gate/links/", STREAM)
    assert (answer.status_code, answer.json()) == (
        401,
        {"error": "You have been logged out. Log in again."},
    )
    assert page.get("/cameras/gate/links/").status_code == 405
    strict: Any = Client(enforce_csrf_checks=True)
    strict.force_login(olga)
    assert strict.post("/cameras/gate/links/", STREAM).status_code == 403
