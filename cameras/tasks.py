"""Jobs: probe a camera after it is saved; record the cameras' health and outages."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from cameras import health
from cameras.models import Camera, Health, Outage
from cameras.probe import probe
from cameras.status import latest_states
from sightline.base.text import storable
from sightline.jobs.app import app
from sightline.kafka import KafkaUnavailable

log = logging.getLogger(__name__)

KEEP_OUTAGES = timedelta(days=90)


@app.task(name="cameras.tasks.probe_camera")
def probe_camera(pk: int) -> None:
    """Probe a camera and store the result for the admin."""
    camera = Camera.objects.filter(pk=pk).first()
    if camera is None:
        return
    result = probe(camera)
    fields = {
        "probed_at": timezone.now(),
        "probe_error": storable(result.error, health.MAX_DETAIL),
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
    cameras = list(Camera.objects.only("slug", "enabled"))
    try:
        states = latest_states([camera.slug for camera in cameras if camera.enabled])
    except KafkaUnavailable as err:
        # Without Kafka nothing is known about the cameras: record no outage.
        log.warning("health not recorded detail=%s", err)
        return
    try:
        health.record(cameras, states)
    except IntegrityError as err:
        log.info("health not recorded, a camera was deleted meanwhile error=%s", err)


@app.task(name="cameras.tasks.prune_outages")
def prune_outages() -> None:
    """Delete outages that ended long ago."""
    Outage.objects.filter(ended_at__lt=timezone.now() - KEEP_OUTAGES).delete()
