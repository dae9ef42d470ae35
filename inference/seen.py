"""Says which cameras a deployment sees: those that it lists, those of its groups, or all."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import prefetch_related_objects

from cameras.models import Camera, CameraGroup
from inference.models import Deployment


def own_cameras(deployments: Collection[Deployment]) -> dict[int, dict[int, Camera]]:
    """The cameras, by number, that each deployment names itself, disabled ones too; by the
    deployment's number.

    The queries are as many for a thousand deployments as for one. They are made at each call, so
    that a camera that is added or regrouped later is seen as well.
    """
    rows = list(deployments)
    prefetch_related_objects(rows, "cameras", "groups__cameras")
    every = _by_number(Camera.objects.all()) if any(row.all_cameras for row in rows) else {}
    return {
        row.pk: every if row.all_cameras else listed_cameras(row.cameras.all(), row.groups.all())
        for row in rows
    }


def listed_cameras(cameras: Iterable[Camera], groups: Iterable[CameraGroup]) -> dict[int, Camera]:
    """Each of the cameras and of those in the groups once, by number."""
    return _by_number(cameras) | {
        camera.pk: camera for group in groups for camera in group.cameras.all()
    }


def _by_number(cameras: Iterable[Camera]) -> dict[int, Camera]:
    return {camera.pk: camera for camera in cameras}
