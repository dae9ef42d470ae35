"""Who may see which camera: the one place that decides. Every page, stream and socket asks here."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet

from cameras.models import Camera


def visible_cameras(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Camera]:
    """The cameras that ``user`` may see: all for who is logged in and active, none for others."""
    if user.is_authenticated and user.is_active:
        return Camera.objects.all()
    return Camera.objects.none()
