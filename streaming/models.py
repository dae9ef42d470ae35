"""What scripts identify themselves with, and how users arrange their walls."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from cameras.models import CameraGroup


class ApiToken(models.Model):
    """A user's key for scripts, until ``expires_at`` or until the user's password changes.

    Only its SHA-256 is kept: the token has 256 random bits, so a slow hash would add nothing.
    ``password_hash`` is Django's session hash of the password that the user had.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    password_hash = models.CharField(max_length=128, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name = "API token"
        permissions: ClassVar = [("view_system", "Can see the system page")]

    def __str__(self) -> str:
        return f"{self.user}: {self.name or 'unnamed'}"


class Layout(models.Model):
    """A user's arrangement of the wall. The one without a name is how the wall of all cameras is
    arranged when no other is open.

    ``cameras`` are short names in order; ones that are gone are skipped. 0 columns or tiles = as
    many as fit best.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="layouts"
    )
    name = models.CharField(max_length=60, blank=True)
    cameras = models.JSONField(default=list)
    others = models.BooleanField(
        default=True
    )  # cameras that are not named follow, also those that are added later
    group = models.ForeignKey(
        CameraGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    columns = models.PositiveSmallIntegerField(default=0)
    tiles = models.PositiveSmallIntegerField(default=0)
    cycle = models.PositiveSmallIntegerField(
        default=0
    )  # seconds until the next page; 0 = pages do not turn by themselves
    drawn = models.JSONField(default=dict)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "name"], name="layout_names_are_unique_per_user"
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(is_default=True),
                name="one_default_layout_per_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.name or 'all cameras'}"
