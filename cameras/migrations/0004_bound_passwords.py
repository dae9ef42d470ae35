"""Stored passwords are bound to the address that they were entered for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import migrations, models

import sightline.base.text
from cameras.sources.addresses import login_destination
from cameras.sources.credentials import BOUND, SecretBox, SecretError

log = logging.getLogger(__name__)


def bind(apps: Any, _: Any) -> None:
    box = SecretBox(settings.CREDENTIAL_KEYS)
    unbound = (
        apps.get_model("cameras", "Camera")
        .objects.exclude(password_sealed="")
        .exclude(password_sealed__startswith=BOUND)
    )
    _reseal(
        unbound,
        lambda camera: box.bound(
            camera.password_sealed, login_destination(camera.kind, camera.url)
        ),
    )


def unbind(apps: Any, _: Any) -> None:
    box = SecretBox(settings.CREDENTIAL_KEYS)
    bound = apps.get_model("cameras", "Camera").objects.filter(password_sealed__startswith=BOUND)
    _reseal(bound, lambda camera: box.unbound(camera.password_sealed))


def _reseal(cameras: Any, sealed: Callable[[Any], str]) -> None:
    for camera in cameras:
        try:
            camera.password_sealed = sealed(camera)
        except SecretError:
            # Its key is gone: the camera goes on asking for the password.
            log.warning("password stays unreadable camera=%s", camera.slug)
        else:
            camera.save(update_fields=["password_sealed"])


class Migration(migrations.Migration):
    dependencies = [("cameras", "0003_watch_picture")]

    operations = [
        migrations.AlterField(
            "camera",
            "name",
            models.CharField(
                help_text="What operators read on the wall.",
                max_length=100,
                validators=[sightline.base.text.validate_single_line],
            ),
        ),
        migrations.AlterField(
            "camera",
            "username",
            models.CharField(
                blank=True,
                max_length=200,
                validators=[sightline.base.text.validate_single_line],
                verbose_name="user name",
            ),
        ),
        migrations.AlterField(
            "cameragroup",
            "name",
            models.CharField(
                error_messages={
                    "unique": "There is already a group with this name. Choose another."
                },
                max_length=60,
                unique=True,
                validators=[sightline.base.text.validate_single_line],
            ),
        ),
        migrations.RunPython(bind, unbind, elidable=False),
    ]
