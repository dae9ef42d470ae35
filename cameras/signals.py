"""After a camera is saved or deleted, wherever that happens: announce it to the workers, and probe
it.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from kombu.exceptions import ChannelError, OperationalError

from cameras.announce import announce
from cameras.models import Camera

log = logging.getLogger(__name__)


@receiver(post_save, sender=Camera)
def camera_saved(instance: Camera, raw: bool = False, **_: Any) -> None:
    """Announce and probe the camera once the change is committed."""
    if raw:
        return
    transaction.on_commit(partial(announce, instance.slug))
    transaction.on_commit(partial(queue_probe, instance))


@receiver(post_delete, sender=Camera)
def camera_deleted(instance: Camera, **_: Any) -> None:
    transaction.on_commit(partial(announce, instance.slug))


def queue_probe(camera: Camera) -> bool:
    """Queue a probe. False if the camera is disabled or the task queue does not answer."""
    from cameras.tasks import probe_camera

    if not camera.enabled:
        return False
    try:
        probe_camera.delay(camera.pk)
    except (OperationalError, ChannelError, OSError):
        # A camera can be saved even while the queue is down.
        log.warning("probe not queued: the task queue does not answer camera=%s", camera.slug)
        return False
    return True
