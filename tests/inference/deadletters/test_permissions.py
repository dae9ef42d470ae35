from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from cameras.models import Camera
from inference.deadletters import listing as deadletter_listing
from inference.models import RetriedLetter
from sightline.kafka import topics
from tests.inference.deadletters.conftest import Graveyard
from tests.support import reading

pytestmark = pytest.mark.django_db

PLACES = ("", "0/0/", "0/0/picture")


def nothing_was_sent() -> bool:
    with reading(topics.inputs("iris", "1")) as inputs:
        return not inputs.read() and not RetriedLetter.objects.exists()


@pytest.mark.parametrize("place", PLACES)
def test_who_is_not_staff_sees_nothing(
    graveyard: Graveyard, client: Client, pages: str, place: str
) -> None:
    graveyard.frame()
    for user in (None, User.objects.create_user("guest", password="guest")):
        if user is not None:
            client.force_login(user)
        response = client.get(pages + place)
        assert response.status_code == 302
        assert "/login/" in response.headers["Location"]


@pytest.mark.parametrize("place", PLACES)
def test_staff_without_a_permission_for_models_sees_nothing(
    graveyard: Graveyard, client: Client, pages: str, place: str
) -> None:
    graveyard.frame()
    client.force_login(User.objects.create_user("clerk", password="clerk", is_staff=True))
    assert client.get(pages + place).status_code == 403


def test_who_may_view_models_may_look_but_not_retry(
    graveyard: Graveyard, viewer: Client, pages: str
) -> None:
    graveyard.record(b"{}")
    for place in ("", "0/0/"):
        page = viewer.get(pages + place)
        assert page.status_code == 200
        assert "<button" not in page.text.partition('id="content-main"')[2].partition("</main>")[0]
    target = {"target": graveyard.version.pk}
    assert viewer.post(f"{pages}0/0/", target).status_code == 403
    assert viewer.post(f"{pages}0/0/", {**target, "record": "{}"}).status_code == 403
    assert (
        viewer.post(
            f"{pages}retry/", {**target, "action": "selected", "letters": ["0:0"]}
        ).status_code
        == 403
    )
    assert nothing_was_sent()


def test_a_retry_needs_the_csrf_token(graveyard: Graveyard, admin_user: User, pages: str) -> None:
    graveyard.record(b"{}")
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(f"{pages}0/0/", {"target": graveyard.version.pk}).status_code == 403
    assert (
        client.post(
            f"{pages}retry/",
            {"target": graveyard.version.pk, "action": "selected", "letters": ["0:0"]},
        ).status_code
        == 403
    )
    assert nothing_was_sent()


def test_a_link_retries_nothing(graveyard: Graveyard, admin_client: Client, pages: str) -> None:
    graveyard.record(b"{}")
    admin_client.get(f"{pages}retry/?action=selected&letters=0:0&target={graveyard.version.pk}")
    assert nothing_was_sent()


def test_frames_of_cameras_that_one_may_not_see_are_hidden(
    graveyard: Graveyard,
    admin_client: Client,
    pages: str,
    dock: Camera,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graveyard.frame("dock")
    graveyard.record(b"{}")
    monkeypatch.setattr(deadletter_listing, "visible_cameras", lambda _user: Camera.objects.none())
    page = admin_client.get(pages).text
    assert 'value="0:1"' in page
    assert 'value="0:0"' not in page
    for place in ("0/0/", "0/0/picture"):
        assert admin_client.get(pages + place).status_code == 404


def test_another_models_version_is_no_target(
    graveyard: Graveyard, admin_client: Client, pages: str
) -> None:
    other = type(graveyard.version.model).objects.create(slug="other", name="Other")
    target = type(graveyard.version).objects.create(model=other, version="1", runtime="stub")
    graveyard.record(b"{}")
    response = admin_client.post(f"{pages}0/0/", {"target": target.pk})
    assert "Select a valid choice" in response.text
    assert nothing_was_sent()
