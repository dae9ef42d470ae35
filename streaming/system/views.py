"""The system page, and the state that it asks for every few seconds."""

from __future__ import annotations

import logging
import time
from typing import Final

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from streaming.cached_result import Answers, TimedOut
from streaming.hub.hub import hub
from streaming.system.report import SORTS, Chosen, state
from streaming.visitors.visitor import Visitor

log = logging.getLogger(__name__)

ACCESS_SECONDS: Final = 2.0
REMEMBER_SECONDS: Final = 300.0
MAX_REMEMBERED: Final = 64
MAX_PAGES: Final = 10_000

NOT_YOURS: Final = (
    "Your account may not see the state of the system. Ask your administrator for the permission"
    " “Can see the system page”."
)

_access = Answers(keep=1.0)
_seen: dict[Visitor, float] = {}


def may_see(user: User | AnonymousUser) -> bool:
    """Whether the user may see the system page."""
    return user.is_active and (user.is_staff or user.has_perm("streaming.view_system"))


@require_safe
@never_cache
def system(request: HttpRequest) -> HttpResponse:
    """Workers, topics, broker, database: what works and what does not."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    if not may_see(request.user):
        return render(request, "403.html", {"sentence": NOT_YOURS}, status=403)
    _remember(Visitor.of_request(request))
    return render(request, "streaming/system.html")


@require_safe
@never_cache
def system_state(request: HttpRequest) -> JsonResponse:
    """The state of all parts. It is told to who was allowed it a short while ago also when the
    database cannot say who that is.
    """
    visitor = Visitor.of_request(request)
    try:
        refusal = _access.get(visitor, lambda: _refusal(visitor), ACCESS_SECONDS)
    except (OperationalError, InterfaceError, TimedOut):
        if time.monotonic() - _seen.get(visitor, float("-inf")) > REMEMBER_SECONDS:
            return JsonResponse(
                {"error": "The database does not answer, so nobody can be recognised. Try again."},
                status=503,
            )
    else:
        if refusal is not None:
            return JsonResponse({"error": refusal[1]}, status=refusal[0])
        _remember(visitor)
    return JsonResponse(state(hub(), _chosen(request)))


def _refusal(visitor: Visitor) -> tuple[int, str] | None:
    """The status and the sentence for who may not see it."""
    user = visitor.user()
    if not user.is_authenticated:
        return 401, "You have been logged out."
    return None if may_see(user) else (403, NOT_YOURS)


def _remember(visitor: Visitor) -> None:
    now = time.monotonic()
    for old in [old for old, at in _seen.items() if now - at > REMEMBER_SECONDS]:
        _seen.pop(old, None)
    if len(_seen) < MAX_REMEMBERED:
        _seen[visitor] = now


def _chosen(request: HttpRequest) -> Chosen:
    """Which topics are asked for; what makes no sense counts as not said."""
    sort, page = request.GET.get("sort", ""), request.GET.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
    return Chosen(
        request.GET.get("topics", "")[:200].strip(),
        sort if sort in SORTS else "name",
        max(1, min(number, MAX_PAGES)),
    )
