"""The pages about models, and the JSON that they poll."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cameras.access import visible_cameras
from inference.models import Model
from streaming.hub.hub import Hub, hub
from streaming.json_view import json_view
from streaming.models_page.records import lag, letters, newest_outputs
from streaming.models_page.rows import (
    Deployed,
    ModelRow,
    deployed_models,
    model_row,
    version_row,
)

MAX_TILES: Final = 9
RECORDS_PERMISSION: Final = "inference.view_model"
NOT_YOURS: Final = (
    "Your account may not read records. Ask your administrator for the permission “Can view model”."
)


@require_safe
@never_cache
@login_required
def models(request: HttpRequest) -> HttpResponse:
    """All models, each with its state, what it does and what it sees."""
    return render(request, "streaming/models.html", {"models": _rows(request)})


@require_safe
@never_cache
@login_required
def model(request: HttpRequest, slug: str) -> HttpResponse:
    """One model: its versions, how they do, what they see."""
    found = _deployed(request, slug)
    if found is None:
        raise Http404("There is no such model.")
    context = {
        "model": found,
        "row": model_row(found, listening(), administers=request.user.is_staff),
        "versions": [
            (version, version_row(version, slug, listening(), administers=request.user.is_staff))
            for version in found.versions
        ],
        "tiles": found.cameras[:MAX_TILES],
        "prefix": settings.TOPIC_PREFIX,
        "may_read_records": request.user.has_perm(RECORDS_PERMISSION),
        "may_edit": request.user.is_staff and request.user.has_perm(RECORDS_PERMISSION),
    }
    return render(request, "streaming/model.html", context)


@require_safe
@json_view()
def models_state(request: HttpRequest) -> dict[str, Any]:
    """The rows of the list of models."""
    return {"models": [row.as_json() for row in _rows(request)]}


@require_safe
@json_view()
def model_state(request: HttpRequest, slug: str) -> dict[str, Any]:
    """How the versions of a model do now; of record streams, how far behind they are."""
    found = _found(request, slug)
    return {
        "kafka": listening().kafka.reachable,
        **model_row(found, listening(), administers=request.user.is_staff).as_json(),
        "versions": [
            version_row(version, slug, listening(), administers=request.user.is_staff).as_json()
            | {"lag": lag(found, version)}
            for version in found.versions
        ],
    }


@require_safe
@json_view()
def model_records(request: HttpRequest, slug: str) -> dict[str, Any]:
    """The newest outputs of the versions that take records, beside their inputs."""
    found = _found(request, slug)
    if not request.user.has_perm(RECORDS_PERMISSION):
        return {"versions": [], "refused": NOT_YOURS}
    return {
        "versions": [
            newest_outputs(found, version) for version in found.versions if version.takes_records
        ]
    }


@require_safe
@json_view()
def model_letters(request: HttpRequest, slug: str) -> dict[str, Any]:
    """How many dead letters each version has, and the newest by reason: for those who may see
    them in the admin.
    """
    found = _found(request, slug)
    if not (request.user.is_staff and request.user.has_perm(RECORDS_PERMISSION)):
        raise Http404("There is no such page.")
    seen = frozenset(visible_cameras(request.user).values_list("slug", flat=True))
    return {"versions": [letters(found, version, seen) for version in found.versions]}


def listening() -> Hub:
    """This process's hub, reading what workers report."""
    source = hub()
    source.start()
    return source


def _rows(request: HttpRequest) -> list[ModelRow]:
    return [
        model_row(item, listening(), administers=request.user.is_staff)
        for item in deployed_models(Model.objects.all(), visible_cameras(request.user))
    ]


def _deployed(request: HttpRequest, slug: str) -> Deployed | None:
    found = deployed_models(Model.objects.filter(slug=slug), visible_cameras(request.user))
    return found[0] if found else None


def _found(request: HttpRequest, slug: str) -> Deployed:
    found = _deployed(request, slug)
    if found is None:
        raise Http404("There is no such model.")
    return found
