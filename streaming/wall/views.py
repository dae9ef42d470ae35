"""The wall's page."""

from __future__ import annotations

from dataclasses import replace

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from streaming.camera_page.cards import card_of, deployed_plans
from streaming.wall.opening import open_wall


@require_safe
@never_cache
@login_required
def wall(request: HttpRequest) -> HttpResponse:
    """The cameras that the user may see, live, in the layout that the address names."""
    opening = open_wall(request)
    plans = deployed_plans()
    cards = [
        replace(
            card_of(camera, plans),
            groups=" ".join(opening.groups_of(camera)),
            included=camera.slug in opening.arrangement.shown,
        )
        for camera in opening.arrangement.cameras
    ]
    return render(request, "streaming/wall.html", {"cameras": cards, "opening": opening})
