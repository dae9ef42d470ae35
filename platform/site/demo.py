"""What a first start registers, so that there is something to see: a demo camera with two
models. Never again after that.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.crypto import get_random_string

from cameras.models import Camera, CameraKind
from inference.models import Deployment, Model, ModelVersion

ADMIN = "admin"


def first_start(password: str, *, demo: bool = True) -> str | None:
    """Make the administrator if there is no user yet, and with ``demo`` a camera and models. The
    administrator's password, or None.
    """
    with transaction.atomic():
        if User.objects.exists():
            return None
        password = password or get_random_string(14)
        User.objects.create_superuser(ADMIN, password=password)
        if demo:
            _register_demo()
        return password


def _register_demo() -> None:
    camera = Camera.objects.create(
        slug="conveyor", name="Conveyor", kind=CameraKind.DEMO, url="demo:conveyor"
    )
    for slug, name, runtime in (
        ("qr", "QR codes", "builtin-qr"),
        ("motion", "Motion", "builtin-motion"),
    ):
        model = Model.objects.create(slug=slug, name=name)
        version = ModelVersion.objects.create(model=model, version="1", runtime=runtime)
        Deployment.objects.create(version=version).cameras.add(camera)
