"""Makes signed links to a camera's stream or snapshot."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.views.decorators.http import require_POST

from cameras.access import visible_cameras
from streaming.json_view import Refused, json_view
from streaming.mjpeg.request import NO_CAMERA, ParameterError, StreamOptions
from streaming.visitors.links import (
    LINK_SECONDS,
    PARAMETER,
    Link,
    LinkKind,
    make_key,
)

VIEWS = {LinkKind.STREAM: "camera-stream", LinkKind.SNAPSHOT: "camera-snapshot"}


@require_POST
@json_view()
def make_link(request: HttpRequest, slug: str) -> dict[str, Any]:
    """``{"url", "expires"}`` for the form's ``kind``, ``overlay``, ``fps`` and ``width``;
    ``expires`` in ms since the epoch.
    """
    camera = visible_cameras(request.user).filter(slug=slug).first()
    if camera is None:
        raise Http404(NO_CAMERA)
    try:
        options = StreamOptions.of(request.POST)
        kind = LinkKind(request.POST.get("kind", LinkKind.STREAM))
    except ParameterError as err:
        raise Refused(400, str(err)) from err
    except ValueError as err:
        raise Refused(400, "kind is stream or snapshot.") from err
    if refused := options.refused_by(camera):
        raise Refused(*refused)
    assert isinstance(request.user, User)
    key = f"{PARAMETER}={make_key(Link(kind, slug, options.query), request.user)}"
    address = f"{reverse(VIEWS[kind], args=[slug])}?{'&'.join(filter(None, (options.query, key)))}"
    return {
        "url": request.build_absolute_uri(address),
        "expires": int((time.time() + LINK_SECONDS) * 1000),
    }
