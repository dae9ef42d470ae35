"""What a web process tells Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError
from prometheus_client.core import Metric

from sightline.telemetry.metrics import AGE, Family
from streaming.cached_result import CachedResults, TimedOut
from streaming.hub.hub import Hub, hub
from streaming.system.workers import needs

NEEDS_SECONDS: Final = 1.0
KAFKA_SECONDS: Final = 2.5

VIEWERS: Final = Family("gauge", "sightline_viewers", "Walls and streams that follow something now")
FRAMES: Final = Family(
    "counter",
    "sightline_viewer_frames",
    "Pictures sent to viewers over the wall's socket or as MJPEG streams",
    ("camera", "way"),
)
BYTES: Final = Family(
    "counter",
    "sightline_viewer_bytes",
    "Bytes of these pictures, headers included",
    ("camera", "way"),
)
FEEDS: Final = Family(
    "gauge",
    "sightline_hub_pictures",
    "Cameras whose pictures are read from Kafka for viewers, annotated ones counted again",
)
MALFORMED: Final = Family(
    "counter",
    "sightline_hub_malformed_records",
    "Records read for viewers that are not what their topic promises",
)
CAMERAS: Final = Family(
    "gauge", "sightline_cameras_enabled", "Cameras that are switched on, by the database"
)
MODELS: Final = Family(
    "gauge",
    "sightline_models_deployed",
    "Model versions with an enabled deployment, on frames or records, by the database",
    ("input",),
)
FAMILIES: Final = (VIEWERS, FRAMES, BYTES, FEEDS, MALFORMED, CAMERAS, MODELS)

_results = CachedResults(threads=1, keep=10.0)


def web_metrics(source: Hub) -> Iterator[Metric]:
    """Who watches, what was sent, and what should run."""
    deliveries = source.deliveries.all()
    yield VIEWERS.single(source.viewers)
    yield FEEDS.single(len(source.frames))
    yield MALFORMED.single(source.malformed)
    yield FRAMES.of((key, delivery.frames) for key, delivery in deliveries.items())
    yield BYTES.of((key, delivery.bytes) for key, delivery in deliveries.items())
    yield AGE.of(
        ((camera, "", "", f"sent-{way}"), delivery.age)
        for (camera, way), delivery in deliveries.items()
    )
    try:
        wanted = _results.get("needs", needs, NEEDS_SECONDS)
    except (DatabaseError, TimedOut):
        return
    yield CAMERAS.single(wanted.cameras)
    yield MODELS.of([(("frames",), wanted.models), (("records",), wanted.streams)])


def kafka_problem() -> str:
    """Why Kafka cannot be used, as the hub knows, or ""."""
    source = hub()
    source.start()
    until = time.monotonic() + KAFKA_SECONDS
    while not source.kafka.known and time.monotonic() < until:
        threading.Event().wait(0.05)
    return "" if source.kafka.known and source.kafka.reachable else "Kafka does not answer."
