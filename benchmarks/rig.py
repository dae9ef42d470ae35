"""A web process with one camera that sends the same picture again and again: what the benchmarks
of viewers measure.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import django

from tests.streaming.site import Site

CAMERA = "gate"
PREFIX = "sightline"


@contextlib.contextmanager
def web(folder: Path, fps: float, size: int) -> Iterator[Site]:
    """The web process on an embedded broker; its camera sends ``fps`` pictures of ``size`` bytes
    a second. Sets up Django in this process, once.
    """
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "sightline.settings",
        "DATA_DIR": str(folder / "own"),
        "KAFKA_EMBEDDED": "1",
        "TOPIC_PREFIX": PREFIX,
    }
    django.setup()
    from django.conf import settings

    from sightline.kafka import Producer
    from tests.streaming.conftest import Broker, Camera, Rolling, noise

    with contextlib.ExitStack() as running:
        broker = Broker(folder)
        broker.start()
        running.callback(broker.child.stop)
        settings.KAFKA_BOOTSTRAP_SERVERS = broker.address
        site = Site(folder, bootstrap=broker.address, prefix=PREFIX, RECHECK_SECONDS="15")
        site.prepare()
        running.enter_context(
            Rolling(Camera(CAMERA, Producer()), fps=fps, jpeg=noise(size), width=1280)
        )
        site.start()
        running.callback(site.child.stop)
        yield site


def credentials(site: Site) -> tuple[str, ...]:
    """The header lines with which a viewer is let in."""
    return tuple(f"{name}: {value}" for name, value in site.bearer().items())
