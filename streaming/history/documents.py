"""The history of cameras and models, read from Kafka, as the JSON that charts ask for."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from sightline.kafka import Record, topics
from sightline.kafka.reader import TopicReader
from sightline.kafka.topics import Topic
from sightline.messages.history import HISTORY_SECONDS, CaptureHistory, ModelHistory
from sightline.messages.json import MessageError, dump
from streaming.history.timeline import Grid, capture_rows, model_rows

# Workers publish an interval within about a second of its end.
PUBLISHED_SECONDS: Final = 2.0
# How many write to one history topic at a time: a capture worker and some models, or some workers.
# With more of them a second read is needed.
WRITERS: Final = 4
READ_SECONDS: Final = 2.0


def camera_document(slug: str, minutes: int) -> bytes:
    """The history of a camera over the last ``minutes``. Raises KafkaUnavailable if the broker does
    not answer.
    """
    grid = Grid.ending(time.time() - PUBLISHED_SECONDS, minutes)
    capture: list[CaptureHistory] = []
    by_version: dict[tuple[str, str], list[ModelHistory]] = defaultdict(list)
    for record in _records(topics.camera_history(slug), grid):
        key = (record.key or b"").decode(errors="replace")
        # Other programs may write to these topics, too.
        with contextlib.suppress(MessageError):
            if key == CaptureHistory.KEY:
                capture.append(CaptureHistory.from_json(record.value))
            elif "@" in key:
                model, _, version = key.partition("@")
                by_version[model, version].append(ModelHistory.from_json(record.value))
    models = [
        {"model": model, "version": version, **model_rows(histories, grid)}
        for (model, version), histories in sorted(by_version.items())
    ]
    return dump(
        {
            "camera": slug,
            "step": grid.step,
            "at": grid.at,
            "capture": capture_rows(capture, grid),
            "models": models,
        }
    )


def model_document(slug: str, versions: Iterable[str], minutes: int) -> bytes:
    """The history of a model's versions over the last ``minutes``, without those that no worker
    ran. Raises KafkaUnavailable if the broker does not answer.
    """
    grid = Grid.ending(time.time() - PUBLISHED_SECONDS, minutes)
    found = []
    for version in versions:
        histories = []
        for record in _records(topics.model_history(slug, version), grid):
            with contextlib.suppress(MessageError):
                histories.append(ModelHistory.from_json(record.value))
        if histories:
            rows = model_rows(histories, grid)
            latency = {"latency_p50": rows.pop("model_p50"), "latency_p95": rows.pop("model_p95")}
            found.append({"version": version, **rows, **latency})
    return dump({"model": slug, "step": grid.step, "at": grid.at, "versions": found})


def _records(topic: Topic, grid: Grid) -> list[Record]:
    guess = WRITERS * grid.count * grid.step // HISTORY_SECONDS
    with TopicReader(topic, READ_SECONDS) as reader:
        return reader.since(grid.at[0], guess)
