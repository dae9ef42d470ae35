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

# A worker tells of an interval within about a second of its end; the last one is not asked for
# before.
TOLD_SECONDS: Final = 2.0
# Who may write to one history topic at a time: a capture worker and some models, or some workers.
# More of them cost a second read.
WRITERS: Final = 4
READ_SECONDS: Final = 2.0


def camera_document(slug: str, minutes: int) -> bytes:
    """What was done about a camera in the last ``minutes``. KafkaUnavailable when the broker
    does not answer.
    """
    grid = Grid.ending(time.time() - TOLD_SECONDS, minutes)
    captured: list[CaptureHistory] = []
    said: dict[tuple[str, str], list[ModelHistory]] = defaultdict(list)
    for record in _records(topics.camera_history(slug), grid):
        key = (record.key or b"").decode(errors="replace")
        # Other programs may write to these topics, too.
        with contextlib.suppress(MessageError):
            if key == CaptureHistory.KEY:
                captured.append(CaptureHistory.from_json(record.value))
            elif "@" in key:
                model, _, version = key.partition("@")
                said[model, version].append(ModelHistory.from_json(record.value))
    models = [
        {"model": model, "version": version, **model_rows(told, grid)}
        for (model, version), told in sorted(said.items())
    ]
    return dump(
        {
            "camera": slug,
            "step": grid.step,
            "at": grid.at,
            "capture": capture_rows(captured, grid),
            "models": models,
        }
    )


def model_document(slug: str, versions: Iterable[str], minutes: int) -> bytes:
    """What the versions of a model did in the last ``minutes``; one that no worker ran is left
    out. KafkaUnavailable as above.
    """
    grid = Grid.ending(time.time() - TOLD_SECONDS, minutes)
    found = []
    for version in versions:
        told = []
        for record in _records(topics.model_history(slug, version), grid):
            with contextlib.suppress(MessageError):
                told.append(ModelHistory.from_json(record.value))
        if told:
            rows = model_rows(told, grid)
            latency = {"latency_p50": rows.pop("model_p50"), "latency_p95": rows.pop("model_p95")}
            found.append({"version": version, **rows, **latency})
    return dump({"model": slug, "step": grid.step, "at": grid.at, "versions": found})


def _records(topic: Topic, grid: Grid) -> list[Record]:
    guess = WRITERS * grid.count * grid.step // HISTORY_SECONDS
    with TopicReader(topic, READ_SECONDS) as reader:
        return reader.since(grid.at[0], guess)
