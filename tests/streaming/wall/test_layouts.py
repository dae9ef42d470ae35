"""Saved layouts of the wall, and groups of cameras: what is kept, what is refused and in which
words, and what the wall makes of them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from cameras.models import Camera, CameraGroup
from streaming.hub.hub import Hub
from streaming.models import Layout
from streaming.visitors.tokens import issue
from streaming.wall import layouts
from streaming.wall import opening as wallpage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def cameras() -> None:
    for slug in ("gate", "hall", "yard"):
        Camera.objects.create(slug=slug, name=slug.title(), kind="demo", url="demo:conveyor")


@pytest.fixture
def olga() -> User:
    return User.objects.create_user("olga")


@pytest.fixture
def viewer(client: Client, olga: User) -> Client:
    client.force_login(olga)
    return client


def send(client: Client, method: str, path: str, document: Any = None, **headers: str) -> Any:
    body = document if isinstance(document, str | bytes) else json.dumps(document)
    return client.generic(method, path, body, content_type="application/json", **headers)  # type: ignore[arg-type]


def save(client: Client, name: str = "Dock east", **fields: Any) -> Any:
    answer = send(client, "POST", "/layouts/", {"name": name, **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def shown(answer: Any) -> list[str]:
    return [card.slug for card in answer.context["cameras"] if card.included]


def words(answer: Any) -> str:
    return str(answer.json()["error"])


def test_a_layout_is_kept_as_it_was_sent(viewer: Client) -> None:
    CameraGroup.objects.create(name="Dock", slug="dock").cameras.add(
        Camera.objects.get(slug="yard")
    )
    drawn = {
        "boxes": False,
        "labels": True,
        "scores": True,
        "mode": "live",
        "threshold": 40,
        "hiddenModels": ["qr@1"],
        "hiddenLabels": [],
    }
    fields = {
        "cameras": ["yard", "gate"],
        "others": False,
        "group": "dock",
        "columns": 3,
        "tiles": 9,
        "cycle": 20,
        "drawn": drawn,
        "default": True,
    }
    saved = save(viewer, "  Dock   east ", **fields)
    assert saved == {"id": saved["id"], "name": "Dock east", **fields}
    assert viewer.get("/layouts/").json() == {"layouts": [saved]}
    assert viewer.get(f"/layouts/{saved['id']}/").json() == saved


def test_only_what_is_sent_changes(viewer: Client) -> None:
    saved = save(viewer, columns=2, cycle=10)
    changed = send(viewer, "PATCH", f"/layouts/{saved['id']}/", {"name": "Dock west"}).json()
    assert changed == {**saved, "name": "Dock west"}


def test_a_deleted_layout_is_gone(viewer: Client) -> None:
    path = f"/layouts/{save(viewer)['id']}/"
    assert viewer.delete(path).status_code == 204
    assert viewer.get(path).status_code == 404


def test_there_is_one_default(viewer: Client) -> None:
    first, second = save(viewer, "One", default=True), save(viewer, "Two", default=True)
    assert [
        viewer.get(f"/layouts/{item['id']}/").json()["default"] for item in (first, second)
    ] == [False, True]


def test_layouts_are_their_owners_own(viewer: Client) -> None:
    path = f"/layouts/{save(viewer)['id']}/"
    other = Client()
    other.force_login(User.objects.create_user("peter"))
    assert {send(other, method, path, {}).status_code for method in ("GET", "PATCH", "DELETE")} == {
        404
    }
    assert other.get("/layouts/").json() == {"layouts": []}
    assert save(other)["name"] == "Dock east", "names are unique for each user only"


def test_who_is_not_logged_in_is_told_so(client: Client) -> None:
    for method, path in (
        ("GET", "/layouts/"),
        ("POST", "/layouts/"),
        ("PATCH", "/layouts/everyday/"),
        ("DELETE", "/layouts/1/"),
    ):
        answer = send(client, method, path, {})
        assert (answer.status_code, words(answer)) == (
            401,
            "You have been logged out. Log in again.",
        )


def test_another_sites_page_cannot_save(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    assert send(client, "POST", "/layouts/", {"name": "Dock"}).status_code == 403
    assert (
        send(
            Client(enforce_csrf_checks=True),
            "POST",
            "/layouts/",
            {"name": "Dock"},
            HTTP_AUTHORIZATION=f"Bearer {issue(olga)}",
        ).status_code
        == 201
    )


REFUSED: list[tuple[Any, str]] = [
    (b"{", "not JSON"),
    (b'"\xff"', "not JSON"),
    (b"[" * 100_000, "not JSON"),
    ([], "a JSON object"),
    ({}, "Give the layout a name."),
    ({"name": " \t"}, "Give the layout a name."),
    ({"name": 7}, "Give the layout a name."),
    ({"name": "x" * 61}, "60 characters"),
    ({"name": "a\ud800"}, "only ones that can be read"),
    ({"name": "All"}, "Choose another name."),
    ({"name": "kept"}, "You already have a layout “kept”."),
    ({"name": "x", "colour": "red"}, "A layout has no “colour”."),
    ({"name": "x", "cameras": "gate"}, "a list of the short names"),
    ({"name": "x", "cameras": [1]}, "a list of the short names"),
    ({"name": "x", "cameras": ["gate", "gate"]}, "each camera once"),
    ({"name": "x", "cameras": ["gate", "vault"]}, "There is no camera “vault” that you may see."),
    ({"name": "x", "cameras": [f"c{number}" for number in range(1001)]}, "1000 cameras at most"),
    ({"name": "x", "group": "vaults"}, "There is no group “vaults”"),
    ({"name": "x", "group": "empty"}, "There is no group “empty” with a camera"),
    ({"name": "x", "group": 4}, "There is no group"),
    ({"name": "x", "others": 1}, "“others” is true or false."),
    ({"name": "x", "columns": 17}, "from 1 to 16"),
    ({"name": "x", "columns": True}, "from 1 to 16"),
    ({"name": "x", "tiles": 65}, "from 1 to 64"),
    ({"name": "x", "tiles": -1}, "from 1 to 64"),
    ({"name": "x", "cycle": 2}, "from 3 to 3600"),
    ({"name": "x", "cycle": 4.5}, "from 3 to 3600"),
    ({"name": "x", "drawn": []}, "“drawn” is an object."),
    ({"name": "x", "drawn": {"mode": "dreamt"}}, "“mode” cannot be drawn so."),
    ({"name": "x", "drawn": {"threshold": 101}}, "“threshold” cannot be drawn so."),
    ({"name": "x", "drawn": {"hiddenLabels": ["a\0"]}}, "“hiddenLabels” cannot be drawn so."),
]


@pytest.mark.parametrize(("document", "sentence"), REFUSED)
def test_what_cannot_be_a_layout_is_refused_in_words(
    viewer: Client, olga: User, document: Any, sentence: str
) -> None:
    CameraGroup.objects.create(name="Empty", slug="empty")
    Layout.objects.create(user=olga, name="Kept")
    answer = send(viewer, "POST", "/layouts/", document)
    assert answer.status_code == 400
    assert sentence in words(answer)
    assert Layout.objects.count() == 1


def test_what_is_far_too_large_is_refused(viewer: Client) -> None:
    answer = send(viewer, "POST", "/layouts/", {"name": "x" * 300_000})
    assert (answer.status_code, words(answer)) == (400, "This is too much for a layout.")


def test_there_are_fifty_at_most(viewer: Client, olga: User) -> None:
    Layout.objects.bulk_create(
        Layout(user=olga, name=f"Layout {number}") for number in range(layouts.MAX_LAYOUTS)
    )
    answer = send(viewer, "POST", "/layouts/", {"name": "One more"})
    assert answer.status_code == 400
    assert "50 layouts" in words(answer)


def test_a_camera_that_is_gone_may_stay_in_a_layout(viewer: Client) -> None:
    saved = save(viewer, cameras=["yard", "gate"])
    Camera.objects.get(slug="gate").delete()
    assert (
        send(viewer, "PATCH", f"/layouts/{saved['id']}/", {"cameras": ["gate", "yard"]}).status_code
        == 200
    )


def test_the_wall_opens_a_layout_by_its_name_or_number(viewer: Client, hub: Hub) -> None:
    saved = save(viewer, cameras=["yard", "gate"], others=False)
    for address in ("/?layout=dock+EAST", f"/?layout={saved['id']}"):
        assert shown(viewer.get(address)) == ["yard", "gate"]
    assert shown(viewer.get("/")) == ["gate", "hall", "yard"]


def test_the_default_layout_opens_by_itself(viewer: Client, hub: Hub) -> None:
    save(viewer, cameras=["yard"], default=True)
    assert shown(viewer.get("/")) == ["yard", "gate", "hall"]
    assert shown(viewer.get("/?layout=all")) == ["gate", "hall", "yard"]


def test_the_wall_of_all_cameras_keeps_its_order(viewer: Client, hub: Hub) -> None:
    assert (
        send(
            viewer, "PATCH", "/layouts/everyday/", {"cameras": ["yard", "hall", "gate"]}
        ).status_code
        == 200
    )
    assert send(viewer, "PATCH", "/layouts/everyday/", {"cameras": ["yard"]}).status_code == 200
    assert shown(viewer.get("/")) == ["yard", "gate", "hall"]
    assert viewer.get("/layouts/").json() == {"layouts": []}
    refused = send(viewer, "PATCH", "/layouts/everyday/", {"cameras": [], "columns": 3})
    assert refused.status_code == 400
    assert "order of its cameras only" in words(refused)


def test_a_layout_that_is_not_there_is_said_and_the_wall_opens(viewer: Client, hub: Hub) -> None:
    answer = viewer.get("/?layout=<b>Roof</b>&group=vault&cycle=1")
    assert shown(answer) == ["gate", "hall", "yard"]
    assert [note.split(",")[0] for note in answer.context["opening"].notes] == [
        "You have no layout “<b>Roof</b>”",
        "There is no group “vault” with a camera that you may see",
        "Pages turn every 3 to 3600 seconds",
    ]
    assert "<b>Roof</b>" not in answer.content.decode()


def test_a_camera_that_is_gone_is_skipped_and_named(viewer: Client, hub: Hub) -> None:
    save(viewer, cameras=["yard", "gate"], others=False)
    Camera.objects.get(slug="yard").delete()
    answer = viewer.get("/?layout=Dock+east")
    assert shown(answer) == ["gate"]
    assert json.loads(answer.context["opening"].data)["missing"] == ["yard"]


def test_groups_with_a_visible_camera_are_shown_in_order(
    viewer: Client, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for order, (slug, members) in enumerate(
        {"roof": ["yard"], "dock": ["gate", "hall"], "empty": []}.items()
    ):
        CameraGroup.objects.create(name=slug.title(), slug=slug, order=-order % 5).cameras.set(
            Camera.objects.filter(slug__in=members)
        )
    answer = viewer.get("/?group=dock")
    assert answer.context["opening"].groups == {"roof": "Roof", "dock": "Dock"}
    assert {card.slug: card.groups for card in answer.context["cameras"]} == {
        "gate": "dock",
        "hall": "dock",
        "yard": "roof",
    }
    assert answer.context["opening"].group == "dock"
    monkeypatch.setattr(
        wallpage, "visible_cameras", lambda user: Camera.objects.exclude(slug="yard")
    )
    assert viewer.get("/").context["opening"].groups == {"dock": "Dock"}


def test_a_camera_form_shows_and_keeps_its_groups(admin_client: Client) -> None:
    dock, roof = (
        CameraGroup.objects.create(name=name, slug=name.lower()) for name in ("Dock", "Roof")
    )
    gate = Camera.objects.get(slug="gate")
    dock.cameras.add(gate)
    path = f"/admin/cameras/camera/{gate.pk}/change/"
    form = admin_client.get(path).context["adminform"].form
    assert list(form["groups"].initial) == [dock]
    outages = {
        f"outages-{name}": "0"
        for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
    }
    fields = {
        "name": "Gate",
        "kind": "demo",
        "url": "demo:conveyor",
        "transport": "tcp",
        "fps": "5",
        "max_width": "640",
        "quality": "80",
    }
    assert admin_client.post(path, {**fields, **outages, "groups": [roof.pk]}).status_code == 302
    assert [group.slug for group in gate.groups.all()] == ["roof"]
    assert admin_client.get("/admin/cameras/cameragroup/").status_code == 200
