"""A camera as the wall and its own page show it before anything arrives over the socket."""

from __future__ import annotations

from dataclasses import dataclass

from cameras.models import Camera
from inference.plans import FramePlan, frame_plans
from streaming.hub.hub import hub


@dataclass(frozen=True, slots=True)
class CameraCard:
    """``width`` and ``height`` are 0 until known; ``models`` are names such as "qr 1"."""

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


def deployed_plans() -> list[FramePlan]:
    """The model versions that look at cameras, second stages included, by name."""
    return sorted(frame_plans(disabled_cameras=True).values(), key=lambda plan: plan.key)


def card_of(camera: Camera, plans: list[FramePlan]) -> CameraCard:
    """The card of a camera, with the live models among ``plans``."""
    status = hub().status(camera.slug)
    return CameraCard(
        pk=camera.pk,
        slug=camera.slug,
        name=camera.name,
        enabled=camera.enabled,
        imprint=camera.imprint,
        width=status.width if status else 0,
        height=status.height if status else 0,
        models=tuple(
            f"{plan.model} {plan.version}" for plan in plans if _is_live(plan, camera.slug)
        ),
    )


def _is_live(plan: FramePlan, camera: str) -> bool:
    deployment = plan.by_camera.get(camera)
    return deployment is not None and deployment.role == "live"
