"""What the database says should run: plain values that workers compare and act on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from inference.models import Deployment, Role


@dataclass(frozen=True, slots=True)
class View:
    """How one model version sees one camera."""

    role: str
    threshold: float


@dataclass(frozen=True, slots=True)
class VersionPlan:
    """One model version, what runs it, and the cameras that it sees. ``options`` is JSON text, so that plans compare and hash."""

    model: str
    version: str
    runtime: str
    options: str
    views: tuple[tuple[str, View], ...]

    @property
    def key(self) -> str:
        """``model@version``."""
        return f"{self.model}@{self.version}"

    @property
    def cameras(self) -> frozenset[str]:
        """The cameras' slugs."""
        return frozenset(camera for camera, _ in self.views)

    @property
    def option_values(self) -> dict[str, Any]:
        """The runtime's options."""
        values: dict[str, Any] = json.loads(self.options)
        return values


def version_plans() -> dict[str, VersionPlan]:
    """A plan for each model version with an enabled deployment on an enabled camera, by its key."""
    deployments = Deployment.objects.filter(enabled=True).select_related("version__model").prefetch_related("cameras")
    grouped: dict[int, list[Deployment]] = defaultdict(list)
    for deployment in deployments:
        grouped[deployment.version_id].append(deployment)
    plans = (_plan(group) for group in grouped.values())
    return {plan.key: plan for plan in plans if plan.views}


def _plan(deployments: list[Deployment]) -> VersionPlan:
    version = deployments[0].version
    return VersionPlan(
        model=version.model.slug,
        version=version.version,
        runtime=version.runtime,
        options=json.dumps(version.options, sort_keys=True),
        views=tuple(sorted(_views(deployments).items())),
    )


def _views(deployments: Iterable[Deployment]) -> Mapping[str, View]:
    """Of several deployments of one version on one camera, a live one counts."""
    views: dict[str, View] = {}
    for deployment in sorted(deployments, key=lambda item: item.role == Role.LIVE):
        for camera in deployment.cameras.all():
            if camera.enabled:
                views[camera.slug] = View(deployment.role, deployment.threshold)
    return views
