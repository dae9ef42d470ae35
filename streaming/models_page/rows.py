"""The rows of the pages about models: deployments from the database, states from the workers'
reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.db.models import QuerySet
from django.urls import reverse

from cameras.models import Camera
from inference.models import Deployment, InputKind, Model, ModelVersion
from inference.plans import FramePlan, frame_plans
from inference.runtimes import RUNTIMES
from sightline.messages import ModelState
from streaming.advice import advised
from streaming.hub.hub import Hub
from streaming.hub.model_states import ModelReport

# A version that several workers run has the worst of their states.
SEVERITY: Final = {ModelState.RUNNING: 0, ModelState.LOADING: 1, ModelState.FAILING: 2}
KINDS: Final = {
    "running": "ok",
    "loading": "wait",
    "failing": "bad",
    "unknown": "bad",
    "listening": "wait",
    "idle": "off",
    "undeployed": "off",
}
WORDS: Final = {
    "running": "works",
    "loading": "loads",
    "failing": "fails",
    "unknown": "is not running",
    "listening": "not known yet",
    "idle": "idle",
    "undeployed": "not deployed",
}
NO_KAFKA: Final = "Kafka does not answer, so nothing is known of it."
LISTENING: Final = "Waiting for the workers' reports."
NOT_DEPLOYED: Final = "Nothing is given to it. Deploy it on cameras or on records."
ALL_OFF: Final = "All cameras that it sees are switched off."
NOT_RUNNING: Final = "No {role} worker reports it."
START: Final = "Start one with: manage.py runworkers {role}"


@dataclass(frozen=True, slots=True)
class SeenCamera:
    """A camera that a version sees, and that the user may see: ``role`` is "live" or "shadow"."""

    slug: str
    name: str
    role: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class DeployedVersion:
    """A version of a model and what it is given. ``runs``: a worker should run it now."""

    pk: int
    version: str
    runtime: str
    cameras: tuple[SeenCamera, ...]
    takes_pictures: bool
    takes_records: bool
    runs: bool
    crops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployed:
    """A model and its versions."""

    pk: int
    slug: str
    name: str
    description: str
    partitions: int
    versions: tuple[DeployedVersion, ...]

    @property
    def cameras(self) -> list[SeenCamera]:
        """Every camera that any version sees, once, by name."""
        found = {camera.slug: camera for version in self.versions for camera in version.cameras}
        return sorted(found.values(), key=lambda camera: (camera.name.lower(), camera.slug))

    @property
    def takes_pictures(self) -> bool:
        """Whether any version is given pictures."""
        return any(version.takes_pictures for version in self.versions)

    @property
    def takes_records(self) -> bool:
        """Whether any version is given records."""
        return any(version.takes_records for version in self.versions)


def deployed_models(models: QuerySet[Model], visible: QuerySet[Camera]) -> list[Deployed]:
    """The models with what their versions are given; of the cameras those in ``visible`` only."""
    plans = frame_plans(disabled_cameras=True)
    cameras = {camera.slug: camera for camera in visible}
    enabled = set(Camera.objects.filter(enabled=True).values_list("slug", flat=True))
    return [
        Deployed(
            pk=model.pk,
            slug=model.slug,
            name=model.name or model.slug,
            description=model.description,
            partitions=model.partitions,
            versions=tuple(
                _version(version, plans.get(f"{model.slug}@{version.version}"), cameras, enabled)
                for version in model.versions.all()
            ),
        )
        for model in models.prefetch_related("versions__deployments")
    ]


def _version(
    version: ModelVersion, plan: FramePlan | None, cameras: dict[str, Camera], enabled: set[str]
) -> DeployedVersion:
    active: list[Deployment] = [item for item in version.deployments.all() if item.enabled]
    deployments = plan.by_camera if plan else {}
    takes_records = any(item.kind == InputKind.RECORDS for item in active)
    seen = (
        SeenCamera(slug, cameras[slug].name or slug, deployment.role, cameras[slug].enabled)
        for slug, deployment in deployments.items()
        if slug in cameras
    )
    return DeployedVersion(
        pk=version.pk,
        version=version.version,
        runtime=RUNTIMES[version.runtime].title if version.runtime in RUNTIMES else version.runtime,
        cameras=tuple(sorted(seen, key=lambda camera: (camera.name.lower(), camera.slug))),
        takes_pictures=any(item.kind == InputKind.PICTURES for item in active),
        takes_records=takes_records,
        runs=takes_records or bool(enabled & deployments.keys()),
        crops=tuple(
            sorted(
                {
                    deployment.crops_of.replace("@", " ")
                    for deployment in deployments.values()
                    if deployment.crops_of
                }
            )
        ),
    )


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version as the page shows it.

    Rates are of the last ten seconds, per second; ``errors`` is the share of inputs without an
    answer, in 0..1; latencies in ms; ``since`` in ms since the epoch. None: not
    known.
    """

    version: str
    state: str
    kind: str
    word: str
    detail: str
    since: int | None
    predicted: float | None
    skipped: float | None
    errors: float | None
    latency_p50: float | None
    latency_p95: float | None
    workers: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the page's script."""
        return asdict(self)


def version_row(version: DeployedVersion, model: str, hub: Hub, *, administers: bool) -> VersionRow:
    """The state of a version now, in words for one who administers, or not."""
    reports = hub.models.of(model, version.version)
    fresh = [report for report in reports if not report.stale]
    state, detail, since = _state(version, reports, fresh, hub, administers)
    is_reported = state in SEVERITY
    rates = _rates(fresh)
    return VersionRow(
        version=version.version,
        state=state,
        kind=KINDS[state],
        word=WORDS[state],
        detail=detail,
        since=since,
        predicted=rates.get("predicted") if is_reported else None,
        skipped=rates.get("skipped") if is_reported else None,
        errors=_share_of_errors(rates) if is_reported else None,
        latency_p50=_slowest(fresh, "latency_p50") if is_reported else None,
        latency_p95=_slowest(fresh, "latency_p95") if is_reported else None,
        workers=tuple(report.status.worker for report in fresh),
    )


def _state(
    version: DeployedVersion,
    reports: Sequence[ModelReport],
    fresh: Sequence[ModelReport],
    hub: Hub,
    administers: bool,
) -> tuple[str, str, int | None]:
    if not (version.takes_pictures or version.takes_records):
        return "undeployed", NOT_DEPLOYED, None
    if not version.runs:
        return "idle", ALL_OFF if version.cameras else NOT_DEPLOYED, None
    if not hub.kafka.reachable:
        return "listening", NO_KAFKA, None
    if fresh:
        worst = max((report.status for report in fresh), key=lambda status: SEVERITY[status.state])
        return str(worst.state), worst.detail, worst.since // 1_000_000
    if not hub.settled:
        return "listening", LISTENING, None
    last = max((report.status.at for report in reports), default=None)
    role = "records" if version.takes_records and not version.takes_pictures else "infer"
    detail = advised(NOT_RUNNING.format(role=role), START.format(role=role), administers)
    return "unknown", detail, None if last is None else last // 1_000_000


def _rates(reports: Iterable[ModelReport]) -> dict[str, float]:
    """The rates of all workers together."""
    total: dict[str, float] = {}
    for report in reports:
        for name, rate in report.rates.items():
            total[name] = total.get(name, 0.0) + rate
    return total


def _share_of_errors(rates: dict[str, float]) -> float | None:
    lost = rates.get("failed", 0.0) + rates.get("errors", 0.0)
    looked_at = rates.get("predicted", 0.0) + lost
    return lost / looked_at if looked_at else None


def _slowest(reports: Iterable[ModelReport], name: str) -> float | None:
    """The highest latency among the workers; None if none has answered lately."""
    return max(
        (value for report in reports if (value := getattr(report.status, name)) > 0), default=None
    )


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model in the list of models: the state of its version that does worst, and what all of
    them do together.
    """

    slug: str
    name: str
    description: str
    url: str
    kind: str
    word: str
    detail: str
    versions: int
    predicted: float | None
    cameras: int
    records: bool

    def as_json(self) -> dict[str, Any]:
        """For the page's script."""
        return asdict(self)


# Which of several versions' states is shown, the most important first.
IMPORTANCE: Final = ("failing", "unknown", "loading", "listening", "running", "idle", "undeployed")
NO_VERSION: Final = "It has no version yet. Add one in the admin."


def model_row(model: Deployed, hub: Hub, *, administers: bool) -> ModelRow:
    """The state of a model now."""
    rows = [
        version_row(version, model.slug, hub, administers=administers) for version in model.versions
    ]
    shown = min(rows, key=lambda row: IMPORTANCE.index(row.state), default=None)
    several = len(rows) > 1 and shown is not None and shown.detail
    rates = [row.predicted for row in rows if row.predicted is not None]
    return ModelRow(
        slug=model.slug,
        name=model.name,
        description=model.description,
        url=reverse("model", args=[model.slug]),
        kind=shown.kind if shown else "off",
        word=shown.word if shown else "no version",
        detail=(f"Version {shown.version}: {shown.detail}" if several else shown.detail)
        if shown
        else NO_VERSION,
        versions=len(rows),
        predicted=sum(rates) if rates else None,
        cameras=len(model.cameras),
        records=model.takes_records,
    )
