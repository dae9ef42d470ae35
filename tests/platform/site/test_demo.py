from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from cameras.models import Camera
from inference.plans import frame_plans
from sightline.site.demo import first_start

pytestmark = pytest.mark.django_db


def test_the_first_start_makes_something_to_see() -> None:
    password = first_start("")

    assert password
    assert User.objects.get(username="admin").check_password(password)
    camera = Camera.objects.get()
    camera.full_clean()
    assert camera.url == "demo:conveyor"
    assert {plan.runtime: plan.cameras for plan in frame_plans().values()} == {
        "builtin-qr": {camera.slug},
        "builtin-motion": {camera.slug},
    }


def test_the_password_can_be_chosen() -> None:
    assert first_start("my own words") == "my own words"
    assert User.objects.get(username="admin").check_password("my own words")


def test_later_starts_make_nothing() -> None:
    User.objects.create_user("somebody")

    assert first_start("") is None
    assert not Camera.objects.exists()
    assert User.objects.count() == 1


def test_what_was_deleted_does_not_come_back() -> None:
    first_start("")
    Camera.objects.all().delete()

    assert first_start("") is None
    assert not Camera.objects.exists()
