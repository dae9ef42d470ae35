"""The page of one camera."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cameras.access import visible_cameras
from streaming.camera_page.cards import card_of, deployed_plans


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """A model version that looks at a camera."""

    model: str
    version: str
    role: str


@require_safe
@never_cache
@login_required
def camera(request: HttpRequest, slug: str) -> HttpResponse:
    """One camera, large."""
    found = visible_cameras(request.user).filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such camera.")
    plans = deployed_plans()
    rows = [
        DeploymentRow(plan.model, plan.version, plan.by_camera[slug].role)
        for plan in plans
        if slug in plan.cameras
    ]
    context = {
        "camera": card_of(found, plans),
        "deployments": rows,
        "link_hours": settings.STREAM_LINK_HOURS,
    }
    return render(request, "streaming/camera.html", context)
