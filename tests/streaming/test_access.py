"""Who gets what: every address of the site for everybody who may ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from cameras.models import Camera as CameraRow
from streaming.camera_page import views
from streaming.hub.hub import Hub
from streaming.visitors import visitor as visitors
from streaming.wall import opening as wallpage

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = "login"
# What anonymous visitors, users who may not see the camera, users who may, and administrators get.
# 503: no picture comes in these tests.
MATRIX: dict[str, tuple[int | str, int, int, int]] = {
    "/": (LOGIN, 200, 200, 200),
    "/layouts/": (401, 200, 200, 200),
    "/layouts/everyday/": (405, 405, 405, 405),
    "/layouts/1/": (401, 404, 404, 404),
    "/cameras/gate/": (LOGIN, 404, 200, 200),
    "/cameras/vault/": (LOGIN, 404, 404, 404),
    "/cameras/gate/stream.mjpg": (401, 404, 200, 200),
    "/cameras/vault/stream.mjpg": (401, 404, 404, 404),
    "/cameras/gate/snapshot.jpg": (401, 404, 503, 503),
    "/cameras/vault/snapshot.jpg": (401, 404, 404, 404),
    "/cameras/gate/links/": (405, 405, 405, 405),
    "/cameras/gate/frames/7.jpg": (401, 404, 404, 404),
    "/cameras/gate/history.json": (401, 404, 200, 200),
    "/cameras/vault/history.json": (401, 404, 404, 404),
    "/models/": (LOGIN, 200, 200, 200),
    "/models/state.json": (401, 200, 200, 200),
    "/models/gate/": (LOGIN, 404, 404, 404),
    "/models/gate/state.json": (401, 404, 404, 404),
    "/models/gate/records.json": (401, 404, 404, 404),
    "/models/gate/deadletters.json": (401, 404, 404, 404),
    "/models/gate/history.json": (401, 404, 404, 404),
    "/system/": (LOGIN, 403, 403, 200),
    "/system/state.json": (401, 403, 403, 200),
    "/healthz": (200, 200, 200, 200),
    "/readyz": (200, 200, 200, 200),
    "/metrics": (401, 403, 403, 200),
    "/accounts/login/": (200, 302, 302, 302),
    "/accounts/logout/": (405, 405, 405, 405),
    "/admin/": (302, 302, 302, 200),
}


@pytest.fixture(autouse=True)
def surroundings(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    CameraRow.objects.create(slug="gate", name="Gate", kind="demo", url="demo:conveyor")
    User.objects.create_user("stranger")
    User.objects.create_user("viewer")
    User.objects.create_superuser("admin")
    monkeypatch.setattr("streaming.mjpeg.stream.SNAPSHOT_SECONDS", 0.05)

    def visible(user: object) -> object:
        return (
            CameraRow.objects.exclude(slug="gate")
            if getattr(user, "username", "") == "stranger"
            else CameraRow.objects.all()
        )

    for module in (views, visitors, wallpage):
        monkeypatch.setattr(module, "visible_cameras", visible)


@pytest.mark.parametrize("path", MATRIX)
def test_each_address_gives_each_person_what_it_should(path: str) -> None:
    for name, expected in zip(("", "stranger", "viewer", "admin"), MATRIX[path], strict=True):
        client = Client()
        if name:
            client.force_login(User.objects.get(username=name))
        answer = client.get(path)
        if expected == LOGIN:
            assert (answer.status_code, answer["Location"]) == (
                302,
                f"/accounts/login/?next={path}",
            )
        else:
            assert answer.status_code == expected, (name or "anonymous", path)


def test_every_address_of_the_streaming_app_is_in_the_matrix() -> None:
    listed = {
        path.replace("gate", "<slug:slug>")
        .replace("/1/", "/<int:pk>/")
        .replace("/7.jpg", "/<int:offset>.jpg")
        .lstrip("/")
        for path in MATRIX
        if "vault" not in path
    }
    missing = [
        route
        for route in _routes(get_resolver().url_patterns)
        if route not in listed and not route.startswith("admin/")
    ]
    assert missing == []


def _routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield route


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_pages_and_streams_are_only_read(method: str) -> None:
    client = Client()
    client.force_login(User.objects.get(username="viewer"))
    for path in ("/", "/cameras/gate/", "/cameras/gate/stream.mjpg", "/cameras/gate/snapshot.jpg"):
        assert getattr(client, method)(path).status_code == 405


def test_head_begins_no_stream() -> None:
    client = Client()
    client.force_login(User.objects.get(username="viewer"))
    answer = client.head("/cameras/gate/stream.mjpg")
    assert answer.status_code == 200
    assert not answer.streaming
