"""The picture of a camera's last probe, by address: pages with many of them stay small, and
browsers keep them.
"""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.http import http_date, parse_http_date_safe
from django.views.decorators.http import require_safe

from cameras.access import visible_cameras
from cameras.models import Health
from streaming.visitors.tokens import refusal

KEPT_SECONDS = 60


@require_safe
def thumbnail(request: HttpRequest, slug: str) -> HttpResponse:
    """The JPEG; 304 when the browser has the one of this probe, 404 without a picture."""
    if not request.user.is_authenticated:
        return refusal()
    found = Health.objects.filter(camera__in=visible_cameras(request.user), camera__slug=slug)
    probed_at = found.exclude(thumbnail=b"").values_list("probed_at", flat=True).first()
    if probed_at is None:
        raise Http404("There is no picture of this camera.")
    at = int(probed_at.timestamp())
    if parse_http_date_safe(request.headers.get("If-Modified-Since", "")) == at:
        answer = HttpResponse(status=304)
    else:
        answer = HttpResponse(
            bytes(found.values_list("thumbnail", flat=True)[0]), content_type="image/jpeg"
        )
    answer["Last-Modified"] = http_date(at)
    patch_cache_control(answer, private=True, max_age=KEPT_SECONDS)
    return answer
