"""Jobs: probe a camera after it is saved; record the cameras' health and outages."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from cameras.models import Camera, Health, Outage
from cameras.probe import probe
from cameras.status import latest_states
from sightline.jobs.app import app
from sightline.kafka import KafkaUnavailable
from sightline.messages import CameraState, CameraStatus

log = logging.getLogger(__name__)

SILENT_SECONDS = 10
KEEP_OUTAGES = timedelta(days=90)
UNKNOWN = "unknown"
NO_WORKER = "No capture worker reports this camera."


@app.task(name="cameras.tasks.probe_camera")
def probe_camera(pk: int) -> None:
    """Probe a camera and store the result for the admin."""
    camera = Camera.objects.filter(pk=pk).first()
    if camera is None:
        return
    result = probe(camera)
    fields = {
        "probed_at": timezone.now(),
        "probe_error": result.error[:500],
        "codec": result.codec,
        "width": result.width,
        "height": result.height,
        "fps": result.fps,
        "thumbnail": result.thumbnail,
    }
    with transaction.atomic():
        # The camera may have been deleted while it was probed.
        if Camera.objects.filter(pk=pk).exists():
            Health.objects.update_or_create(camera_id=pk, defaults=fields)
    log.info("camera probed camera=%s error=%s", camera.slug, result.error or "none")


@app.task(name="cameras.tasks.record_health")
def record_health() -> None:
    """Copy the cameras' states from Kafka to the database, and open or close their outages."""
    cameras = list(Camera.objects.all())
    try:
        states = latest_states(len(cameras))
    except KafkaUnavailable as err:
        # Without Kafka nothing is known about the cameras: record no outage.
        log.warning("health not recorded detail=%s", err)
        return
    for camera in cameras:
        record_camera_health(camera, states.get(camera.slug))


def record_camera_health(camera: Camera, status: CameraStatus | None) -> None:
    state, since, detail = _current_state(camera, status)
    with transaction.atomic():
        if not Camera.objects.filter(pk=camera.pk).exists():
            return
        before = Health.objects.filter(camera=camera).values_list("state", flat=True).first()
        Health.objects.update_or_create(
            camera=camera, defaults={"state": state, "since": since, "detail": detail[:500]}
        )
        # Workers need a moment after their start before they report: only a second silent round is
        # an outage.
        if state != UNKNOWN or before == UNKNOWN:
            _record_outage(camera, state, since, detail)


def _current_state(camera: Camera, status: CameraStatus | None) -> tuple[str, datetime, str]:
    """State, since when, and why: as reported, unless the last report is too old."""
    now = timezone.now()
    if not camera.enabled:
        return (
            CameraState.DISABLED,
            _datetime(status.since) if status and status.state == CameraState.DISABLED else now,
            "",
        )
    if status is None:
        return UNKNOWN, now, NO_WORKER
    last = _datetime(status.at)
    if now - last > timedelta(seconds=SILENT_SECONDS):
        return UNKNOWN, last, NO_WORKER
    return status.state, _datetime(status.since), status.detail


def _record_outage(camera: Camera, state: str, since: datetime, detail: str) -> None:
    up = state in (CameraState.LIVE, CameraState.DEGRADED, CameraState.DISABLED)
    running = Outage.objects.filter(camera=camera, ended_at=None)
    if up:
        # A camera may have been live all the time while its worker was out of reach: the outage
        # then ends now.
        running.filter(started_at__gte=since).update(ended_at=timezone.now())
        running.update(ended_at=since)
    elif state != CameraState.CONNECTING and not running.update(state=state, detail=detail[:500]):
        Outage.objects.create(camera=camera, state=state, detail=detail[:500], started_at=since)


@app.task(name="cameras.tasks.prune_outages")
def prune_outages() -> None:
    """Delete outages that ended long ago."""
    Outage.objects.filter(ended_at__lt=timezone.now() - KEEP_OUTAGES).delete()


def _datetime(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
