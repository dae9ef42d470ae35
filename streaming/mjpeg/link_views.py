"""Makes signed links to a camera's stream or picture."""

from __future__ import annotations

import time

from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from cameras.access import visible_cameras
from streaming.mjpeg.request import NO_CAMERA, Options, ParameterError
from streaming.visitors.links import (
    LINK_SECONDS,
    PARAMETER,
    Link,
    LinkKind,
    make_key,
)

VIEWS = {LinkKind.STREAM: "camera-stream", LinkKind.SNAPSHOT: "camera-snapshot"}


@require_POST
def make_link(request: HttpRequest, slug: str) -> JsonResponse:
    """``{"url", "expires"}`` for the form's ``kind``, ``overlay``, ``fps`` and ``width``;
    ``expires`` in ms since the epoch.

    401, 404, 400 or 503 with ``{"error": sentence}``.
    """
    if not isinstance(request.user, User):
        return _refusal(401, "You have been logged out. Log in again.")
    camera = visible_cameras(request.user).filter(slug=slug).first()
    if camera is None:
        return _refusal(404, NO_CAMERA)
    try:
        options = Options.of(request.POST)
        kind = LinkKind(request.POST.get("kind", LinkKind.STREAM))
    except ParameterError as err:
        return _refusal(400, str(err))
    except ValueError:
        return _refusal(400, "kind is stream or snapshot.")
    if refused := options.refused_by(camera):
        return _refusal(*refused)
    key = f"{PARAMETER}={make_key(Link(kind, slug, options.query), request.user)}"
    address = f"{reverse(VIEWS[kind], args=[slug])}?{'&'.join(filter(None, (options.query, key)))}"
    return _answer(
        {
            "url": request.build_absolute_uri(address),
            "expires": int((time.time() + LINK_SECONDS) * 1000),
        }
    )


def _refusal(status: int, sentence: str) -> JsonResponse:
    return _answer({"error": sentence}, status)


def _answer(body: dict[str, object], status: int = 200) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})
