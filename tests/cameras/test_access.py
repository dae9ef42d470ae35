from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, User

from cameras.access import visible_cameras
from cameras.models import Camera

pytestmark = pytest.mark.django_db


@pytest.fixture
def camera() -> Camera:
    return Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor")


def test_who_is_logged_in_sees_every_camera(camera: Camera) -> None:
    assert list(visible_cameras(User.objects.create_user("operator"))) == [camera]


def test_strangers_and_those_shut_out_see_none(camera: Camera) -> None:
    assert not visible_cameras(AnonymousUser()).exists()
    assert not visible_cameras(User.objects.create_user("former", is_active=False)).exists()
