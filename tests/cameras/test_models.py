from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.utils import timezone
from pytest_django import Settings

from cameras.models import Camera, Outage
from cameras.sources.credentials import SecretError

pytestmark = pytest.mark.django_db


def camera(**fields: Any) -> Camera:
    return Camera(
        **{
            "slug": "dock",
            "name": "Dock",
            "kind": "rtsp",
            "url": "rtsp://192.168.1.20:554/stream1",
            **fields,
        }
    )


def test_a_camera_with_its_defaults_is_right() -> None:
    camera().full_clean()


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("slug", {"slug": "Dock 1"}),
        ("slug", {"slug": "admin"}),
        ("url", {"url": "rtsp://user:secret@192.168.1.20/"}),
        ("url", {"url": "http://192.168.1.20/"}),
        ("url", {"url": "rtsp://localhost/"}),
        ("url", {"kind": "file", "url": "/videos/dock.mp4"}),
        ("url", {"kind": "device", "url": "/dev/video0"}),
        ("fps", {"fps": 0}),
        ("fps", {"fps": 61}),
        ("max_width", {"max_width": 8}),
        ("quality", {"quality": 101}),
        ("kind", {"kind": "telepathy"}),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    field: str, fields: dict[str, Any], settings: Settings
) -> None:
    settings.CAMERA_ALLOWED_NETWORKS = []
    with pytest.raises(ValidationError) as caught:
        camera(**fields).full_clean()

    assert field in caught.value.message_dict
    assert "secret" not in str(caught.value)


def test_files_and_devices_are_allowed_by_the_settings(settings: Settings) -> None:
    settings.CAMERA_ALLOW_FILE = settings.CAMERA_ALLOW_DEVICE = True

    camera(kind="file", url="/videos/dock.mp4").full_clean()
    camera(kind="device", url="/dev/video0").full_clean()


def test_the_slug_never_changes() -> None:
    stored = camera()
    stored.save()
    stored.slug = "gate"

    with pytest.raises(ValidationError, match="cannot be changed"):
        stored.save()
    assert Camera.objects.get().slug == "dock"


def test_the_password_is_stored_encrypted() -> None:
    stored = camera(username="operator")
    stored.password = "s3cret words"
    stored.save()

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM cameras_camera")
        assert "s3cret" not in str(cursor.fetchall())
    assert Camera.objects.get().password == "s3cret words"
    assert Camera.objects.get().source_settings().password == "s3cret words"
    assert "s3cret" not in repr(Camera.objects.get().source_settings())


def test_a_password_can_be_removed() -> None:
    stored = camera()
    stored.password = "s3cret"
    stored.password = ""

    assert (stored.password, stored.password_sealed) == ("", "")


def test_a_password_needs_its_key_and_old_keys_still_open(settings: Settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [old]
    stored = camera()
    stored.password = "s3cret"

    settings.CREDENTIAL_KEYS = [new, old]
    assert stored.password == "s3cret"
    settings.CREDENTIAL_KEYS = [new]
    with pytest.raises(SecretError, match="Enter it again"):
        _ = stored.password


def test_a_source_gets_what_it_needs() -> None:
    settings = camera(username="operator", fps=5, transport="udp").source_settings()

    assert (settings.kind, settings.url, settings.username, settings.fps) == (
        "rtsp",
        "rtsp://192.168.1.20:554/stream1",
        "operator",
        5,
    )
    assert settings.transport == "udp"


def test_a_camera_has_one_open_outage_at_most() -> None:
    stored = camera()
    stored.save()
    now = timezone.now()
    Outage.objects.create(camera=stored, state="unreachable", started_at=now, ended_at=now)
    Outage.objects.create(camera=stored, state="unreachable", started_at=now)

    with pytest.raises(IntegrityError):
        Outage.objects.create(camera=stored, state="unreachable", started_at=now)
