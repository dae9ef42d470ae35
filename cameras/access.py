"""Decides who may see which camera, for every page, stream and socket."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet

from cameras.models import Camera


def visible_cameras(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Camera]:
    """The cameras that ``user`` may see: all if logged in and active, else none."""
    if user.is_authenticated and user.is_active:
        return Camera.objects.all()
    return Camera.objects.none()
