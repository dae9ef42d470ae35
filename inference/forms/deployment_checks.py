"""What is wrong with a deployment before it runs, by the field of the form where that is said."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from cameras.models import Camera
from inference import runtimes
from inference.models import Delivery, Deployment, InputKind, ModelVersion
from inference.plans import objection
from inference.runtimes import PICTURES
from inference.runtimes.errors import InferenceError

NO_CAMERA: Final = "Choose at least one camera, or the deployment whose boxes it sees."
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
    if not wanted.cameras and wanted.crops_of is None:
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
    seen = _seen(wanted.cameras, wanted.crops_of)
    taken = {
        pk
        for other in _others(wanted).filter(kind=InputKind.PICTURES)
        for pk in _seen(other.cameras.all(), other.crops_of)
    }
    return sorted(name for pk, name in seen.items() if pk in taken)


def _others(wanted: WantedDeployment) -> QuerySet[Deployment]:
    if wanted.version._state.adding:
        return Deployment.objects.none()
    return Deployment.objects.filter(version=wanted.version, enabled=True).exclude(
        pk=wanted.pk or 0
    )


def _seen(
    cameras: Collection[Camera] | QuerySet[Camera], crops_of: Deployment | None
) -> dict[int, str]:
    """The cameras by number and name: a second stage without any of its own sees those of the
    first.
    """
    stages: set[int] = set()
    while not cameras and crops_of is not None and crops_of.pk not in stages:
        stages.add(crops_of.pk)
        cameras, crops_of = crops_of.cameras.all(), crops_of.crops_of
    return {camera.pk: camera.name for camera in cameras}
