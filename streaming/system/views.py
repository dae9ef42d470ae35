"""The system page, and the state that it asks for every few seconds."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from streaming.cached_result import CachedResults, TimedOut
from streaming.hub.hub import hub
from streaming.json_view import LOGGED_OUT, Refused, json_view
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

_access = CachedResults(keep=1.0)
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
@json_view(anonymous=True)
def system_state(request: HttpRequest) -> dict[str, Any]:
    """The state of all parts; also while the database cannot say who asks, for visitors who were
    allowed to see it a short while ago.
    """
    visitor = Visitor.of_request(request)
    try:
        refused, administers = _access.get(visitor, lambda: _asked(visitor), ACCESS_SECONDS)
    except (OperationalError, InterfaceError, TimedOut) as err:
        if time.monotonic() - _seen.get(visitor, float("-inf")) > REMEMBER_SECONDS:
            raise Refused(
                503, "The database does not answer, so nobody can be recognised. Try again."
            ) from err
        administers = False
    else:
        if refused is not None:
            raise refused
        _remember(visitor)
    return state(hub(), _chosen(request), administers=administers)


def _asked(visitor: Visitor) -> tuple[Refused | None, bool]:
    """Why the visitor may not see the state, and whether it is one who administers."""
    user = visitor.user()
    if not user.is_authenticated:
        return Refused(401, LOGGED_OUT), False
    return None if may_see(user) else Refused(403, NOT_YOURS), user.is_staff


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
