"""The cameras' health and outages in the database: written where they changed, in a few
statements, however many cameras there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from cameras.models import Camera, Health, Outage
from sightline.base.text import storable
from sightline.messages import CameraState, CameraStatus

SILENT = timedelta(seconds=10)
UNKNOWN = "unknown"
NO_WORKER = "No capture worker reports this camera."
UP = (CameraState.LIVE, CameraState.DEGRADED, CameraState.DISABLED)
MAX_DETAIL = 500
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Condition:
    """What a camera does, since when, and why."""

    state: str
    since: datetime
    detail: str = ""


def record(cameras: Iterable[Camera], states: Mapping[str, CameraStatus]) -> int:
    """Write the cameras' conditions, and open, change or close their outages; returns how many
    cameras' conditions changed. Raises IntegrityError if a camera is deleted meanwhile: the next
    round knows better.
    """
    known = {row.camera_id: row for row in Health.objects.defer("thumbnail")}
    running = {row.camera_id: row for row in Outage.objects.filter(ended_at=None)}
    changed: list[Health] = []
    outages: list[Outage] = []
    for camera in cameras:
        before = known.get(camera.pk)
        found = _condition(camera, states.get(camera.slug), before)
        if before is None or (before.state, before.since, before.detail) != (
            found.state,
            found.since,
            found.detail,
        ):
            changed.append(
                Health(camera=camera, state=found.state, since=found.since, detail=found.detail)
            )
        # Workers need a moment after their start before they report: only a second silent round is
        # an outage.
        if found.state != UNKNOWN or (before is not None and before.state == UNKNOWN):
            outages += _changed_outage(camera, found, running.get(camera.pk))
    _write(changed, outages)
    return len(changed)


def _write(changed: list[Health], outages: list[Outage]) -> None:
    with transaction.atomic():
        Health.objects.bulk_create(
            changed,
            batch_size=AT_ONCE,
            update_conflicts=True,
            unique_fields=["camera"],
            update_fields=["state", "since", "detail"],
        )
        Outage.objects.bulk_create([row for row in outages if row.pk is None], AT_ONCE)
        Outage.objects.bulk_update(
            [row for row in outages if row.pk is not None],
            ["state", "detail", "ended_at"],
            batch_size=AT_ONCE,
        )


def _condition(camera: Camera, status: CameraStatus | None, before: Health | None) -> Condition:
    """As reported, unless the last report is too old."""
    now = timezone.now()
    if not camera.enabled:
        reported = status is not None and status.state == CameraState.DISABLED
        since = _datetime(status.since) if status is not None and reported else now
        return _kept(before, Condition(CameraState.DISABLED, since), reported)
    if status is None:
        return _kept(before, Condition(UNKNOWN, now, NO_WORKER), reported=False)
    if now - (last := _datetime(status.at)) > SILENT:
        return Condition(UNKNOWN, last, NO_WORKER)
    return Condition(status.state, _datetime(status.since), storable(status.detail, MAX_DETAIL))


def _kept(before: Health | None, found: Condition, reported: bool) -> Condition:
    """The condition, since when it was first seen where nobody reports the moment."""
    if reported or before is None or before.state != found.state or before.since is None:
        return found
    return Condition(found.state, before.since, found.detail)


def _changed_outage(camera: Camera, found: Condition, running: Outage | None) -> Iterator[Outage]:
    """The camera's outage, if it begins, ends or has another reason now."""
    if found.state in UP:
        if running is not None:
            # A camera may have been live all the time while its worker was out of reach: the outage
            # then ends now.
            late = running.started_at >= found.since
            running.ended_at = timezone.now() if late else found.since
            yield running
    elif found.state == CameraState.CONNECTING:
        return
    elif running is None:
        yield Outage(camera=camera, state=found.state, detail=found.detail, started_at=found.since)
    elif (running.state, running.detail) != (found.state, found.detail):
        running.state, running.detail = found.state, found.detail
        yield running


def _datetime(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
