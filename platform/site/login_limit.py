"""The limit on failed log-ins: by user name and address, as django-axes counts, and by address
alone.
"""

from __future__ import annotations

from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.exceptions import AxesBackendPermissionDenied
from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from sightline.site.logins import client_address


class LoginLimit(AxesStandaloneBackend):
    """Refuses a log-in before its password is looked at."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **kwargs: Any
    ) -> None:
        """Raise AxesBackendPermissionDenied when the name or the address is locked."""
        if request is not None and _names_failed(request) >= settings.LOGIN_NAMES_PER_ADDRESS:
            request.axes_locked_out = True  # type: ignore[attr-defined]
            request.address_locked = True  # type: ignore[attr-defined]
            raise AxesBackendPermissionDenied("This address is locked out.")
        super().authenticate(request, username=username, **kwargs)


def _names_failed(request: HttpRequest) -> int:
    """User names that have failed from this address of late, and not logged in since: a log-in
    removes its name's failures, so people of one office who mistype are not counted.
    """
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    attempts = AccessAttempt.objects.filter(
        ip_address=client_address(request), attempt_time__gte=since
    )
    return int(attempts.values("username").distinct().count())
