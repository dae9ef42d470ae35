from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from streaming.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Tokens can be seen and revoked here; they are made by ``manage.py token``, which shows
    them once.
    """

    list_display = ("user", "name", "created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    readonly_fields = ("user", "name", "created_at", "expires_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
