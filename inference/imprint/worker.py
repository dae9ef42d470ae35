"""The imprint worker: draws live predictions into frames, for viewers that cannot draw."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from django.db import DatabaseError, close_old_connections
from prometheus_client.core import Metric

from cameras.models import Camera
from inference.frames.join import FrameJoiner, JoinedFrame
from inference.imprint.drawing import draw
from inference.plans import frame_plans
from inference.runner.metrics import imprint_metrics
from inference.runtimes.errors import InferenceError
from sightline.kafka import (
    OFFSET_END,
    Admin,
    KafkaUnavailable,
    LatestConsumer,
    Partition,
    PartitionReader,
    Record,
    topics,
)
from sightline.messages import Frame, Prediction
from sightline.messages.json import MessageError
from sightline.worker.worker import Worker

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 1.0
# How long a frame waits for the predictions of the live models.
WAIT_SECONDS = 0.3
TOPICS_SECONDS = 30.0
MILLISECOND = 1_000_000


class ImprintWorker(Worker):
    """Draws for the cameras whose frames topics its group assigns to it; their predictions are read
    beside the group.
    """

    role = "imprint"

    def __init__(self) -> None:
        super().__init__()
        self.frames = LatestConsumer(topics.imprint_group())
        self.predictions = PartitionReader()
        self.admin = Admin()
        self.joiners: dict[str, FrameJoiner[Frame]] = {}
        self.wanted: frozenset[str] = frozenset()
        self.models: dict[str, frozenset[str]] = {}
        self.drawn = self.failed = self.lag = 0
        self.reconcile_due = self.topics_due = 0.0

    def step(self) -> None:
        """Read frames and predictions, imprint what is complete, follow the database."""
        if time.monotonic() >= self.reconcile_due:
            self.reconcile_due = time.monotonic() + RECONCILE_SECONDS
            self._reconcile()
            self.lag = self.frames.lag()
        if not self.wanted and not self.joiners:
            self.stopping.wait(RECONCILE_SECONDS / 2)
            return
        if (record := self.frames.poll(0.02)) is not None:
            self._take_frame(record)
        while self.joiners and (record := self.predictions.poll(0)) is not None:
            self._take_prediction(record)
        for camera, joiner in self.joiners.items():
            for joined in joiner.ready(time.monotonic()):
                self._imprint(camera, joined)

    def close(self) -> None:
        self.frames.close()
        self.predictions.close()

    def counters(self) -> dict[str, int]:
        return {"cameras": len(self.joiners), "drawn": self.drawn, "failed": self.failed}

    def metrics(self) -> Iterable[Metric]:
        return imprint_metrics(self.drawn, self.failed, topics.imprint_group(), self.lag)

    def _reconcile(self) -> None:
        close_old_connections()
        try:
            wanted = frozenset(
                Camera.objects.filter(enabled=True, imprint=True).values_list("slug", flat=True)
            )
            self.models = _live_models() if wanted else {}
        except DatabaseError as err:
            log.warning("database unavailable, imprint keeps its cameras error=%s", err)
            return
        for camera, joiner in self.joiners.items():
            joiner.models = self.models.get(camera, frozenset())
        self._ensure(wanted)
        if wanted != self.wanted:
            self.wanted = wanted
            self.frames.follow(
                [topics.frames(camera) for camera in sorted(wanted)],
                on_assign=self._assigned,
                on_revoke=self._revoked,
            )

    def _ensure(self, wanted: frozenset[str]) -> None:
        if wanted == self.wanted and time.monotonic() < self.topics_due:
            return
        self.topics_due = time.monotonic() + TOPICS_SECONDS
        self.admin.forget()
        try:
            self.admin.ensure(
                topic for camera in wanted for topic in topics.camera_topics(camera, imprint=True)
            )
        except KafkaUnavailable as err:
            log.warning("topics not created detail=%s", err)

    def _assigned(self, partitions: Sequence[Partition]) -> None:
        for topic, number in partitions:
            camera = topics.camera_of(topic)
            if number == 0 and camera not in self.joiners:
                self.joiners[camera] = FrameJoiner(self.models.get(camera, ()), WAIT_SECONDS)
                self.predictions.watch(topics.predictions(camera), offset=OFFSET_END)

    def _revoked(self, partitions: Sequence[Partition]) -> None:
        for topic, number in partitions:
            camera = topics.camera_of(topic)
            if number == 0 and camera in self.joiners:
                del self.joiners[camera]
                self.predictions.unwatch(topics.predictions(camera))
        if not self.joiners:
            self.predictions.close()

    def _take_frame(self, record: Record) -> None:
        joiner = self.joiners.get(topics.camera_of(record.topic))
        if joiner is None:
            return
        try:
            frame = Frame.from_record(
                topics.camera_of(record.topic), record.value, record.header_map, record.offset
            )
        except MessageError:
            self.failed += 1
        else:
            joiner.add_frame(frame, frame, time.monotonic())

    def _take_prediction(self, record: Record) -> None:
        joiner = self.joiners.get(topics.camera_of(record.topic))
        if joiner is None:
            return
        try:
            joiner.add_prediction(Prediction.from_json(record.value))
        except MessageError:
            self.failed += 1

    def _imprint(self, camera: str, joined: JoinedFrame[Frame]) -> None:
        frame = joined.item
        try:
            jpeg = draw(frame.jpeg, list(joined.predictions.values()))
        except InferenceError as err:
            self.failed += 1
            log.debug("frame not drawn camera=%s seq=%s error=%s", camera, frame.seq, err)
            return
        self.producer.send(
            topics.annotated(camera),
            jpeg,
            key=camera,
            headers=frame.headers(),
            timestamp=frame.captured_at // MILLISECOND,
        )
        self.drawn += 1


def _live_models() -> dict[str, frozenset[str]]:
    """The models whose predictions are drawn, as ``model@version``, by camera."""
    models: dict[str, set[str]] = {}
    for plan in frame_plans().values():
        for camera, deployment in plan.deployments:
            if deployment.role == "live":
                models.setdefault(camera, set()).add(plan.key)
    return {camera: frozenset(keys) for camera, keys in models.items()}
