"""What is wrong with a deployment before it runs, by the field of the form where that is said."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from cameras.models import Camera, CameraGroup
from inference import runtimes
from inference.models import Delivery, Deployment, InputKind, ModelVersion
from inference.plans import objection
from inference.runtimes import PICTURES
from inference.runtimes.errors import InferenceError
from inference.seen import listed_cameras, own_cameras

NO_CAMERA: Final = (
    "Choose at least one camera or group, all cameras, or the deployment whose boxes it sees."
)
ALL_DELIVERED: Final = "Of records none is left out. Choose “every” or “exactly-once”."
ONLY_LATEST: Final = "A camera does not wait: choose “latest” for pictures."


@dataclass(frozen=True, slots=True)
class WantedDeployment:
    """A deployment as a form has it; ``pk`` None: a new one."""

    version: ModelVersion
    kind: str
    delivery: str
    cameras: Collection[Camera] | QuerySet[Camera]
    crops_of: Deployment | None
    enabled: bool = True
    pk: int | None = None
    groups: Collection[CameraGroup] | QuerySet[CameraGroup] = ()
    all_cameras: bool = False

    @property
    def names_cameras(self) -> bool:
        """Whether it chooses cameras itself, be they none at present."""
        return bool(self.all_cameras or self.cameras or self.groups)

    @property
    def own(self) -> dict[int, Camera]:
        """The cameras that it names itself, by number."""
        if self.all_cameras:
            return {camera.pk: camera for camera in Camera.objects.all()}
        return listed_cameras(self.cameras, self.groups)


def objections(wanted: WantedDeployment) -> Iterator[tuple[str, str]]:
    """Pairs of field and sentence."""
    if wanted.kind == InputKind.RECORDS:
        yield from _about_records(wanted)
    else:
        yield from _about_pictures(wanted)


def _about_records(wanted: WantedDeployment) -> Iterator[tuple[str, str]]:
    if wanted.delivery == Delivery.LATEST:
        yield "delivery", ALL_DELIVERED
    if sentence := objection(wanted.version.runtime, wanted.delivery == Delivery.EXACTLY_ONCE):
        yield "delivery", sentence
    if wanted.enabled and _others(wanted).filter(kind=InputKind.RECORDS).exists():
        yield (
            "kind",
            f"{wanted.version} already has a deployment on records. Change that one instead.",
        )


def _about_pictures(wanted: WantedDeployment) -> Iterator[tuple[str, str]]:
    if wanted.delivery != Delivery.LATEST:
        yield "delivery", ONLY_LATEST
    if not wanted.names_cameras and wanted.crops_of is None:
        yield "cameras", NO_CAMERA
    if sentence := _why_no_pictures(wanted.version):
        yield "kind", sentence
    if wanted.enabled and (overlap := _overlap(wanted)):
        yield (
            "cameras",
            (
                f"{wanted.version} already sees {', '.join(overlap)} by another deployment. Change"
                " that one instead."
            ),
        )


def _why_no_pictures(version: ModelVersion) -> str:
    """Making a runtime costs nothing: it says whether its options are those of one that sees
    pictures.
    """
    try:
        runtime = runtimes.create(version.runtime, version.options)
    except InferenceError as err:
        return f"{version} cannot see pictures of cameras. {err}"
    return (
        ""
        if PICTURES in getattr(runtime, "takes", {PICTURES})
        else f"{version} takes records, not pictures."
    )


def _overlap(wanted: WantedDeployment) -> list[str]:
    seen = wanted.own if wanted.names_cameras else _of_stages(wanted.crops_of)
    others = _others(wanted).filter(kind=InputKind.PICTURES)
    own = own_cameras(others)
    taken = {
        pk
        for other in others
        for pk in (own[other.pk] if other.chosen_names else _of_stages(other.crops_of))
    }
    return sorted(camera.name for pk, camera in seen.items() if pk in taken)


def _others(wanted: WantedDeployment) -> QuerySet[Deployment]:
    if wanted.version._state.adding:
        return Deployment.objects.none()
    return Deployment.objects.filter(version=wanted.version, enabled=True).exclude(
        pk=wanted.pk or 0
    )


def _of_stages(stage: Deployment | None) -> dict[int, Camera]:
    """What a second stage sees that names no cameras: those of the first stage that names any."""
    passed: set[int] = set()
    while stage is not None and stage.pk not in passed:
        if stage.chosen_names:
            return own_cameras([stage])[stage.pk]
        passed.add(stage.pk)
        stage = stage.crops_of
    return {}
