"""What the database says should run: plain values that workers compare and act on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference import runtimes
from inference.models import Deployment, Kind, ModelVersion, Role

if TYPE_CHECKING:
    from inference.runtimes.base import Runtime

DEFAULT_BATCH_MS = 5


@dataclass(frozen=True, slots=True)
class View:
    """How one model version sees one camera.

    ``crops_of``: the ``model@version`` whose boxes it sees, "" = the whole frame.
    ``crop_label``: only boxes with this label, "" = all.
    """

    role: str
    threshold: float
    crops_of: str = ""
    crop_label: str = ""


@dataclass(frozen=True, slots=True)
class VersionPlan:
    """One model version, what runs it, and the cameras that it sees. ``options`` is JSON text, so
    that plans compare and hash.

    ``batch`` pictures at most go into one call; the first of them waits ``batch_ms``
    milliseconds at most for the others.
    """

    model: str
    version: str
    runtime: str
    options: str
    views: tuple[tuple[str, View], ...]
    file: str = ""
    sha256: str = ""
    batch: int = 1
    batch_ms: int = DEFAULT_BATCH_MS

    @property
    def key(self) -> str:
        """``model@version``."""
        return f"{self.model}@{self.version}"

    @property
    def cameras(self) -> frozenset[str]:
        """The cameras' slugs."""
        return frozenset(camera for camera, _ in self.views)

    @property
    def view_of(self) -> dict[str, View]:
        """The views by camera."""
        return dict(self.views)

    @property
    def option_values(self) -> dict[str, Any]:
        """The runtime's options."""
        values: dict[str, Any] = json.loads(self.options)
        return values

    def create(self) -> Runtime:
        """The runtime, not yet loaded; InferenceError when the options are wrong."""
        return runtimes.create(
            self.runtime, self.option_values, file=Path(self.file) if self.file else None
        )

    def runs_as(self, other: VersionPlan) -> bool:
        """Whether a model that runs by this plan can go over to the other one without being
        loaded again.
        """
        return _bare(self) == _bare(other)


def _bare(plan: VersionPlan) -> VersionPlan:
    return replace(plan, views=(), batch=1, batch_ms=0)


def version_plans(*, disabled_cameras: bool = False) -> dict[str, VersionPlan]:
    """A plan for each model version with an enabled deployment on pictures of a camera, by its
    key; cameras that are switched off on request.
    """
    deployments = (
        Deployment.objects.filter(enabled=True, kind=Kind.PICTURES)
        .select_related("version__model")
        .prefetch_related("cameras")
    )
    by_pk = {deployment.pk: deployment for deployment in deployments}
    grouped: dict[int, list[Deployment]] = defaultdict(list)
    for deployment in by_pk.values():
        grouped[deployment.version_id].append(deployment)
    plans = (_plan(group, by_pk, disabled_cameras) for group in grouped.values())
    return {plan.key: plan for plan in plans if plan.views}


def _plan(
    deployments: list[Deployment], by_pk: Mapping[int, Deployment], disabled_cameras: bool
) -> VersionPlan:
    version = deployments[0].version
    return VersionPlan(
        model=version.model.slug,
        version=version.version,
        runtime=version.runtime,
        options=json.dumps(version.options, sort_keys=True),
        views=tuple(sorted(_views(deployments, by_pk, disabled_cameras).items())),
        file=version.file.path if version.file else "",
        sha256=version.sha256,
        batch=max(deployment.batch for deployment in deployments),
        batch_ms=max(deployment.batch_ms for deployment in deployments),
    )


def _views(
    deployments: Iterable[Deployment], by_pk: Mapping[int, Deployment], disabled_cameras: bool
) -> dict[str, View]:
    """Of several deployments of one version on one camera, a live one counts."""
    views: dict[str, View] = {}
    for deployment in sorted(deployments, key=lambda item: item.role == Role.LIVE):
        first = by_pk.get(deployment.crops_of_id or 0)
        view = View(
            deployment.role,
            deployment.threshold,
            _key(first.version) if first else "",
            deployment.crop_label if first else "",
        )
        views |= {
            slug: view
            for slug, enabled in _cameras(deployment, by_pk).items()
            if enabled or disabled_cameras
        }
    return views


def _cameras(
    deployment: Deployment, by_pk: Mapping[int, Deployment], depth: int = 0
) -> dict[str, bool]:
    """The cameras that a deployment sees, and whether each is enabled. A second stage sees its
    first stage's; of these, its own if it has any.
    """
    own = {camera.slug: camera.enabled for camera in deployment.cameras.all()}
    if deployment.crops_of_id is None:
        return own
    first = by_pk.get(deployment.crops_of_id)
    # A first stage that is switched off finds nothing; one that leads back here would be followed
    # for ever.
    if first is None or depth > len(by_pk):
        return {}
    seen = _cameras(first, by_pk, depth + 1)
    return {slug: enabled for slug, enabled in seen.items() if not own or slug in own}


def _key(version: ModelVersion) -> str:
    return f"{version.model.slug}@{version.version}"
