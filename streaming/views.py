"""The pages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from cameras.access import visible_cameras
from cameras.models import Camera
from inference.plans import VersionPlan, version_plans
from streaming import wallpage
from streaming.hub import hub


@dataclass(frozen=True, slots=True)
class CameraCard:
    """A camera as the pages show it; ``width`` and ``height`` 0 = not known yet, ``models`` like "qr 1"."""

    pk: int
    slug: str
    name: str
    enabled: bool
    imprint: bool
    width: int
    height: int
    models: tuple[str, ...]
    groups: str = ""  # short names, with spaces between
    included: bool = True  # in the layout that is open


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """A model version that looks at a camera."""

    model: str
    version: str
    role: str


@require_safe
@never_cache
@login_required
def wall(request: HttpRequest) -> HttpResponse:
    """The cameras that the user may see, live, in the layout that the address names."""
    opening = wallpage.open_wall(request)
    plans = _plans()
    cards = [
        replace(_card(camera, plans), groups=" ".join(opening.groups_of(camera)), included=camera.slug in opening.arrangement.shown)
        for camera in opening.arrangement.cameras
    ]
    return render(request, "streaming/wall.html", {"cameras": cards, "opening": opening})


@require_safe
@never_cache
@login_required
def camera(request: HttpRequest, slug: str) -> HttpResponse:
    """One camera, large."""
    found = visible_cameras(request.user).filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such camera.")
    plans = _plans()
    rows = [DeploymentRow(plan.model, plan.version, plan.view_of[slug].role) for plan in plans if slug in plan.cameras]
    context = {"camera": _card(found, plans), "deployments": rows, "link_hours": settings.STREAM_LINK_HOURS}
    return render(request, "streaming/camera.html", context)


def _plans() -> list[VersionPlan]:
    """What looks at cameras, second stages included, by name."""
    return sorted(version_plans(disabled_cameras=True).values(), key=lambda plan: plan.key)


@never_cache
def admin_login(request: HttpRequest) -> HttpResponse:
    """The admin's login is everybody's. Who is logged in already but is no administrator is told so, not sent round in circles."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
    if not request.user.is_staff:
        raise PermissionDenied
    return redirect("admin:index")


def _card(camera: Camera, plans: list[VersionPlan]) -> CameraCard:
    status = hub().status(camera.slug)
    return CameraCard(
        pk=camera.pk,
        slug=camera.slug,
        name=camera.name,
        enabled=camera.enabled,
        imprint=camera.imprint,
        width=status.width if status else 0,
        height=status.height if status else 0,
        models=tuple(f"{plan.model} {plan.version}" for plan in plans if _is_live(plan, camera.slug)),
    )


def _is_live(plan: VersionPlan, camera: str) -> bool:
    view = plan.view_of.get(camera)
    return view is not None and view.role == "live"
