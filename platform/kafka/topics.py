"""Every topic name, in one place, with the settings that the topic is created with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from zlib import crc32

from django.conf import settings

SECOND_MS = 1000
HOUR_MS = 3600 * SECOND_MS
DAY_MS = 24 * HOUR_MS
# The most bytes that a dead letter's headers add to its record: its topic takes that much more
# than the topic it came from.
HEADER_ROOM = 64 * 1024
SUMMARY_BYTES = 1024 * 1024
MODEL_TOPIC = re.compile(r"([a-z0-9-]+)@([A-Za-z0-9_-]+)(?:\.(inputs|outputs|errors|history))?")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be: ``config`` holds Kafka's own topic settings."""

    name: str
    partitions: int = 1
    config: dict[str, str] = field(default_factory=dict)


def _named(*parts: str) -> str:
    return ".".join((settings.TOPIC_PREFIX, *parts))


def _retained(milliseconds: int, max_message_bytes: int) -> dict[str, str]:
    # A segment can only be deleted once it is rolled: roll at a quarter of the retention, or short
    # retentions would keep data for a week.
    return {
        "retention.ms": str(milliseconds),
        "segment.ms": str(max(milliseconds // 4, 10 * SECOND_MS)),
        "max.message.bytes": str(max_message_bytes),
    }


def frames(camera: str) -> Topic:
    """One camera's frames: key = slug, value = the JPEG itself."""
    return Topic(_named("cameras", camera, "frames"), config=_frame_config())


def annotated(camera: str) -> Topic:
    """One camera's frames with the predictions drawn in."""
    return Topic(_named("cameras", camera, "annotated"), config=_frame_config())


def _frame_config() -> dict[str, str]:
    return _retained(settings.FRAMES_RETENTION * SECOND_MS, settings.KAFKA_MAX_MESSAGE_BYTES)


def predictions(camera: str) -> Topic:
    """What models predicted for one camera's frames: key = ``model@version``, value = JSON."""
    return Topic(
        _named("cameras", camera, "predictions"),
        config=_retained(DAY_MS, settings.KAFKA_MAX_MESSAGE_BYTES),
    )


def camera_history(camera: str) -> Topic:
    """What was done about one camera, every ten seconds: key = ``capture`` or ``model@version``,
    value = JSON.
    """
    return Topic(_named("cameras", camera, "history"), config=_retained(DAY_MS, SUMMARY_BYTES))


def model_history(model: str, version: str) -> Topic:
    """What one model version did, every ten seconds: key = the worker, value = JSON."""
    return Topic(
        _named("models", model, version, "history"), config=_retained(DAY_MS, SUMMARY_BYTES)
    )


def errors(model: str, version: str) -> Topic:
    """Dead letters of one model version: the input unchanged, with headers that say why."""
    return Topic(
        _named("models", model, version, "errors"),
        config=_retained(7 * DAY_MS, settings.KAFKA_MAX_MESSAGE_BYTES + HEADER_ROOM),
    )


def inputs(model: str, version: str, partitions: int = 1) -> Topic:
    """The records that one model version is given: any key and headers, value = JSON, Avro or a
    picture.
    """
    return Topic(
        _named("models", model, version, "inputs"),
        partitions,
        _retained(7 * DAY_MS, settings.KAFKA_MAX_MESSAGE_BYTES),
    )


def outputs(model: str, version: str, partitions: int = 1) -> Topic:
    """What one model version says about its inputs: the input's key and headers, value = JSON."""
    return Topic(
        _named("models", model, version, "outputs"),
        partitions,
        _retained(7 * DAY_MS, settings.KAFKA_MAX_MESSAGE_BYTES),
    )


def record_topics(model: str, version: str, partitions: int = 1) -> tuple[Topic, ...]:
    """The topics of one model version that takes records."""
    return (
        inputs(model, version, partitions),
        outputs(model, version, partitions),
        errors(model, version),
    )


def status() -> Topic:
    """The newest state of every camera and worker (compacted)."""
    return Topic(
        _named("status"),
        config={
            "cleanup.policy": "compact",
            "segment.ms": "600000",
            "min.cleanable.dirty.ratio": "0.1",
        },
    )


def assignments() -> Topic:
    """The control topic whose consumer group spreads cameras over capture workers."""
    return Topic(
        _named("assignments"),
        partitions=settings.CAPTURE_PARTITIONS,
        config=_retained(DAY_MS, SUMMARY_BYTES),
    )


def platform_topics() -> tuple[Topic, ...]:
    """The topics that exist whatever cameras and models there are."""
    return status(), assignments()


def camera_topics(camera: str, *, imprint: bool) -> tuple[Topic, ...]:
    """The topics of one camera."""
    always = (frames(camera), predictions(camera), camera_history(camera))
    return (*always, annotated(camera)) if imprint else always


def capture_group() -> str:
    """The consumer group in which capture workers share the assignments topic."""
    return _named("capture")


def inference_group(model: str, version: str) -> str:
    """The consumer group of one model version."""
    return _named("infer", model, version)


def records_group(model: str, version: str) -> str:
    """The consumer group in which record workers share one model version's inputs."""
    return _named("records", model, version)


def imprint_group() -> str:
    """The consumer group in which imprint workers share the cameras."""
    return _named("imprint")


def camera_of(topic: str) -> str:
    """The camera's slug in the name of one of its topics; ValueError for any other topic."""
    match = re.fullmatch(
        re.escape(settings.TOPIC_PREFIX)
        + r"\.cameras\.([^.]+)\.(frames|predictions|annotated|history)",
        topic,
    )
    if match is None:
        raise ValueError(f"{topic} is not a camera's topic")
    return match[1]


def partition_of(camera: str, partitions: int) -> int:
    """The assignments partition that a camera belongs to: the same in every process and every
    release.
    """
    return crc32(camera.encode()) % partitions


def cameras_in(cameras: Iterable[str], owned: Iterable[int], partitions: int) -> set[str]:
    """Those cameras that belong to the ``owned`` partitions of the assignments topic."""
    mine = set(owned)
    return {camera for camera in cameras if partition_of(camera, partitions) in mine}
