"""Who gets what: every address of the site for everybody who may ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from cameras import access
from cameras.models import Camera as CameraRow
from cameras.models import Health
from streaming.hub.hub import Hub
from streaming.visitors.tokens import issue

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
    "/cameras/gate/thumbnail.jpg": (401, 404, 200, 200),
    "/cameras/vault/thumbnail.jpg": (401, 404, 404, 404),
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
    "/accounts/password/": (LOGIN, 200, 200, 200),
    "/accounts/password/changed/": (LOGIN, 200, 200, 200),
    "/admin/": (302, 302, 302, 200),
}
# What changes something, asked without saying what: 400 and 200 come from those who would have
# been let do it. Every other method is refused to everybody.
CHANGES: dict[str, dict[str, tuple[int | str, int, int, int]]] = {
    "/layouts/": {"post": (401, 400, 400, 400)},
    "/layouts/everyday/": {"patch": (401, 400, 400, 400)},
    "/layouts/1/": {"patch": (401, 404, 404, 404), "delete": (401, 404, 404, 404)},
    "/cameras/gate/links/": {"post": (401, 404, 200, 200)},
    "/accounts/login/": {
        **dict.fromkeys(("post", "put"), (200, 302, 302, 302)),
        **dict.fromkeys(("patch", "delete"), (405, 302, 302, 302)),
    },
    "/accounts/logout/": {"post": (302, 302, 302, 302)},
    "/accounts/password/": dict.fromkeys(("post", "put"), (LOGIN, 200, 200, 200)),
}
# The probes of a cluster are answered however they ask; the admin's pages have a matrix of their
# own, tests/platform/site/test_admin_access.py.
ANY_METHOD = ("/healthz", "/readyz", "/admin/")
PEOPLE = ("", "stranger", "viewer", "admin")


@pytest.fixture(autouse=True)
def surroundings(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = CameraRow.objects.create(slug="gate", name="Gate", kind="demo", url="demo:conveyor")
    Health.objects.create(camera=gate, probed_at=timezone.now(), thumbnail=b"\xff\xd8\xff\xd9")
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

    decides = access.visible_cameras
    for module in list(sys.modules.values()):
        if vars(module).get("visible_cameras") is decides:
            monkeypatch.setattr(module, "visible_cameras", visible)


def browser_of(name: str) -> Client:
    """A browser that sends the form's token with each request."""
    client = Client(enforce_csrf_checks=True, headers={"X-CSRFToken": "a" * 32})
    if name:
        client.force_login(User.objects.get(username=name))
    client.cookies["csrftoken"] = "a" * 32
    return client


def script_of(name: str) -> Client:
    """A script that sends its user's bearer token with each request."""
    token = issue(User.objects.get(username=name)) if name else ""
    return Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {token}"})


def is_as_expected(answer: Any, expected: int | str, path: str) -> bool:
    if expected == LOGIN:
        return (answer.status_code, answer.get("Location")) == (
            302,
            f"/accounts/login/?next={path}",
        )
    return bool(answer.status_code == expected)


@pytest.mark.parametrize("path", MATRIX)
def test_each_address_gives_each_person_what_it_should(path: str) -> None:
    for name, expected in zip(PEOPLE, MATRIX[path], strict=True):
        answer = browser_of(name).get(path)
        assert is_as_expected(answer, expected, path), (name or "anonymous", answer.status_code)


def test_each_address_lets_each_person_change_what_it_should() -> None:
    """With a valid token: of the form, and a bearer token."""
    people = [(browser_of(name), name) for name in PEOPLE]
    people += [(script_of(name), name) for name in PEOPLE if name]
    wrong = {
        (method, path, name or "anonymous"): answer.status_code
        for path in sorted(MATRIX, key="/accounts/logout/".__eq__)  # last: sessions end there
        if path not in ANY_METHOD
        for method in ("post", "put", "patch", "delete")
        for client, name in people
        if not is_as_expected(
            answer := getattr(client, method)(path), expected(method, path, name), path
        )
        and answer.status_code != 405
    }
    assert wrong == {}


def expected(method: str, path: str, name: str) -> int | str:
    row = CHANGES.get(path, {}).get(method, (LOGIN, 405, 405, 405))
    return row[PEOPLE.index(name)]


def test_a_browser_without_the_forms_token_changes_nothing() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="admin"))
    changes = [(path, method) for path, methods in CHANGES.items() for method in methods]
    assert {getattr(client, method)(path).status_code for path, method in changes} == {403}


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


def test_head_begins_no_stream() -> None:
    client = Client()
    client.force_login(User.objects.get(username="viewer"))
    answer = client.head("/cameras/gate/stream.mjpg")
    assert answer.status_code == 200
    assert not answer.streaming
