"""What should run, read from the database: plain values that workers compare and act on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from inference import runtimes
from inference.models import Delivery, Deployment, InputKind, ModelVersion, Role
from inference.runtimes import RUNTIMES
from inference.seen import own_cameras

if TYPE_CHECKING:
    from inference.runtimes.base import Runtime
    from inference.runtimes.records import RecordRuntime

DEFAULT_BATCH_MS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """A model version and what runs it. JSON is kept as text, so that plans compare and hash.

    At most ``batch`` inputs go into one call of the model.
    """

    model: str
    version: str
    runtime: str
    options: str = "{}"
    file: str = ""
    sha256: str = ""
    batch: int = 1

    @classmethod
    def of_version(cls, version: ModelVersion, **fields: Any) -> Self:
        """The plan of a version in the database; ``fields`` are what frames or records add."""
        return cls(
            model=version.model.slug,
            version=version.version,
            runtime=version.runtime,
            options=json.dumps(version.options, sort_keys=True),
            file=version.file.path if version.file else "",
            sha256=version.sha256,
            **fields,
        )

    @property
    def key(self) -> str:
        """``model@version``."""
        return f"{self.model}@{self.version}"

    @property
    def option_values(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.options)
        return values

    @property
    def path(self) -> Path | None:
        return Path(self.file) if self.file else None

    def create(self) -> Runtime:
        """The runtime for pictures, not yet loaded; InferenceError when the options are wrong."""
        return runtimes.create(self.runtime, self.option_values, file=self.path)

    def create_records(self) -> RecordRuntime:
        """The runtime for records, not yet loaded; InferenceError when the options are wrong."""
        return runtimes.create_records(self.runtime, self.option_values, file=self.path)


# Frames


@dataclass(frozen=True, slots=True)
class CameraDeployment:
    """How one model version is deployed on one camera.

    ``crops_of``: the ``model@version`` whose boxes it sees, "" = the whole frame.
    ``crop_label``: only boxes with this label, "" = all.
    """

    role: str
    threshold: float
    crops_of: str = ""
    crop_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePlan(ModelPlan):
    """A model version and the cameras that it sees.

    The first frame of a batch waits at most ``batch_ms`` milliseconds for the others.
    """

    deployments: tuple[tuple[str, CameraDeployment], ...]
    batch_ms: int = DEFAULT_BATCH_MS

    @property
    def cameras(self) -> frozenset[str]:
        return frozenset(camera for camera, _ in self.deployments)

    @property
    def by_camera(self) -> dict[str, CameraDeployment]:
        """The deployments by camera."""
        return dict(self.deployments)

    def runs_as(self, other: FramePlan) -> bool:
        """Whether a model loaded for this plan can go on with the other without a reload."""
        bare = {"deployments": (), "batch": 1, "batch_ms": 0}
        return replace(self, **bare) == replace(other, **bare)  # type: ignore[arg-type]


def frame_plans(*, disabled_cameras: bool = False) -> dict[str, FramePlan]:
    """The plans, by key, of the model versions with an enabled deployment on an enabled camera, or
    on ``disabled_cameras``, too.
    """
    deployments = Deployment.objects.filter(enabled=True, kind=InputKind.PICTURES).select_related(
        "version__model"
    )
    by_pk = {deployment.pk: deployment for deployment in deployments}
    own = {
        pk: {camera.slug: camera.enabled for camera in cameras.values()}
        for pk, cameras in own_cameras(by_pk.values()).items()
    }
    plans = (
        FramePlan.of_version(
            group[0].version,
            deployments=tuple(sorted(_by_camera(group, by_pk, own, disabled_cameras).items())),
            batch=max(deployment.batch for deployment in group),
            batch_ms=max(deployment.batch_ms for deployment in group),
        )
        for group in _by_version(by_pk.values())
    )
    return {plan.key: plan for plan in plans if plan.deployments}


def _by_version(deployments: Iterable[Deployment]) -> Iterable[list[Deployment]]:
    grouped: dict[int, list[Deployment]] = defaultdict(list)
    for deployment in deployments:
        grouped[deployment.version_id].append(deployment)
    return grouped.values()


def _by_camera(
    deployments: Iterable[Deployment],
    by_pk: Mapping[int, Deployment],
    own: Mapping[int, dict[str, bool]],
    disabled_cameras: bool,
) -> dict[str, CameraDeployment]:
    """Of several deployments of one version on one camera, a live one counts."""
    by_camera: dict[str, CameraDeployment] = {}
    for deployment in sorted(deployments, key=lambda item: item.role == Role.LIVE):
        first = by_pk.get(deployment.crops_of_id or 0)
        on_camera = CameraDeployment(
            deployment.role,
            deployment.threshold,
            f"{first.version.model.slug}@{first.version.version}" if first else "",
            deployment.crop_label if first else "",
        )
        by_camera |= {
            slug: on_camera
            for slug, enabled in _cameras(deployment, by_pk, own).items()
            if enabled or disabled_cameras
        }
    return by_camera


def _cameras(
    deployment: Deployment,
    by_pk: Mapping[int, Deployment],
    own: Mapping[int, dict[str, bool]],
    depth: int = 0,
) -> dict[str, bool]:
    """The cameras that a deployment sees, and whether each is enabled. A second stage sees its
    first stage's cameras, or those of them that it names itself.
    """
    named = own[deployment.pk]
    if deployment.crops_of_id is None:
        return named
    first = by_pk.get(deployment.crops_of_id)
    # A disabled first stage finds nothing; a circle of stages would be followed for ever.
    if first is None or depth > len(by_pk):
        return {}
    seen = _cameras(first, by_pk, own, depth + 1)
    # A group without cameras stands for none of them, not for all.
    if not named and not deployment.groups.all():
        return seen
    return {slug: enabled for slug, enabled in seen.items() if slug in named}


# Records


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlan(ModelPlan):
    """A model version on records. ``partitions``: those of its inputs and outputs topics."""

    input_schema: str = "{}"
    exactly_once: bool = False
    partitions: int = 1

    @property
    def objection(self) -> str:
        """Why it cannot run with its delivery, in one plain sentence; "" when it can."""
        return objection(self.runtime, self.exactly_once)


def objection(runtime: str, exactly_once: bool) -> str:
    """Why a runtime cannot deliver ``exactly-once``; "" when it can. Forms use it, too."""
    if exactly_once and runtime in RUNTIMES and RUNTIMES[runtime].remote:
        return (
            "Exactly once is for models that run in the worker itself: what a server does cannot be"
            " undone. Choose the delivery “every”."
        )
    return ""


def record_plans() -> dict[str, RecordPlan]:
    """The plans, by key, of the model versions with an enabled deployment on records.

    Several deployments of one version share its topics: the strictest delivery counts.
    """
    deployments = (
        Deployment.objects.filter(enabled=True, kind=InputKind.RECORDS)
        .select_related("version__model")
        .order_by("pk")
    )
    plans = (
        RecordPlan.of_version(
            group[0].version,
            input_schema=json.dumps(group[0].version.input_schema, sort_keys=True),
            exactly_once=any(item.delivery == Delivery.EXACTLY_ONCE for item in group),
            batch=max(item.batch for item in group),
            partitions=group[0].version.model.partitions,
        )
        for group in _by_version(deployments)
    )
    return {plan.key: plan for plan in plans}
