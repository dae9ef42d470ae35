from __future__ import annotations

import io

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cameras.models import Camera

pytestmark = pytest.mark.django_db


def camera(slug: str, password: str) -> Camera:
    made = Camera(slug=slug, name=slug, kind="rtsp", url="rtsp://192.0.2.1/")
    made.password = password
    made.save()
    return made


def test_passwords_change_over_to_the_newest_key(settings: Settings) -> None:
    lost, old, new = (Fernet.generate_key().decode() for _ in range(3))
    settings.CREDENTIAL_KEYS = [lost]
    camera("roof", "gone")
    settings.CREDENTIAL_KEYS = [old]
    camera("dock", "d0ck")
    camera("gate", "g@te")
    camera("open", "")
    settings.CREDENTIAL_KEYS = [new, old]
    said = io.StringIO()

    with pytest.raises(
        CommandError, match=r"None of the keys fits the passwords of roof\. Enter those again"
    ):
        call_command("rotatekeys", stdout=said)

    assert said.getvalue() == "2 camera passwords are now encrypted with the newest key.\n"
    settings.CREDENTIAL_KEYS = [new]
    assert [Camera.objects.get(slug=slug).password for slug in ("dock", "gate", "open")] == [
        "d0ck",
        "g@te",
        "",
    ]
