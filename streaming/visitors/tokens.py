"""API tokens: ``Authorization: Bearer <token>`` identifies a user instead of a session."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from streaming.models import ApiToken

PREFIX = "sightline_"
USE_SAVED_EVERY = timedelta(minutes=1)
DEFAULT_DAYS = 90
MAX_DAYS = 3650
NOT_VALID = (
    "This token is not valid: it was revoked, has expired, or its user has a new password. Ask your"
    " administrator for a new one."
)
LOG_IN = "Log in, or send a token: Authorization: Bearer <token>."

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


def issue(user: User, name: str = "", days: int = DEFAULT_DAYS) -> str:
    """Create a token that the user has for so many days; only its hash is stored."""
    token = PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(
        user=user,
        name=name,
        digest=_digest(token),
        password_hash=user.get_session_auth_hash(),
        expires_at=timezone.now() + timedelta(days=days),
    )
    return token


def user_of(token: str) -> User | None:
    """The token's user; None if the token is unknown or has expired, if the user is not active or
    has a new password.
    """
    now = timezone.now()
    found = (
        ApiToken.objects.select_related("user")
        .filter(digest=_digest(token), user__is_active=True, expires_at__gt=now)
        .first()
    )
    if found is None or found.password_hash not in _password_hashes(found.user):
        return None
    if found.last_used_at is None or now - found.last_used_at > USE_SAVED_EVERY:
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found.user


def _password_hashes(user: User) -> set[str]:
    """Of the present password, by the present SECRET_KEY and those before it."""
    return {user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()}


def bearer(header: str) -> str | None:
    """The token in an Authorization header; None when it is of another scheme."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class BearerTokenMiddleware:
    """Authenticate the request by its bearer token; 401 if the token is not valid."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._call_async(request)
        token = _token(request)
        if token is not None and not _identify(request, user_of(token)):
            return refusal(NOT_VALID)
        return self.get_response(request)

    async def _call_async(self, request: HttpRequest) -> HttpResponseBase:
        token = _token(request)
        if token is not None and not _identify(request, await sync_to_async(user_of)(token)):
            return refusal(NOT_VALID)
        response = self.get_response(request)
        return response if isinstance(response, HttpResponseBase) else await response


def _token(request: HttpRequest) -> str | None:
    return bearer(request.headers.get("Authorization", ""))


def refusal(sentence: str = LOG_IN) -> HttpResponse:
    """A 401 for scripts, with how to authenticate."""
    return HttpResponse(
        sentence + "\n",
        status=401,
        content_type="text/plain; charset=utf-8",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _identify(request: HttpRequest, user: User | None) -> bool:
    if user is None:
        return False

    async def auser() -> User:
        return user

    request.user = user
    request.auser = auser
    # Pages of other sites cannot make a browser send this header, so CSRF is not possible.
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    return True
