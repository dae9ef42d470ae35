"""Whether this process works, whether what it needs is there, and what it counts."""

from __future__ import annotations

import asyncio

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from streaming.system.views import NOT_YOURS, may_see
from streaming.system.web import web_operations
from streaming.visitors.tokens import refusal


async def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, Kafka and Redis (where it is used) answer, 503 otherwise; which one and
    why, in the body.
    """
    status, body = await asyncio.to_thread(web_operations().ready)
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, with the bearer token of a user who may see the system page: names of
    cameras are in it.
    """
    if not request.user.is_authenticated:
        return refusal("Log in, or send a token of a user who may see the system page.")
    if not may_see(request.user):
        return HttpResponse(f"{NOT_YOURS}\n", status=403, content_type="text/plain; charset=utf-8")
    body, content_type = web_operations().exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)
