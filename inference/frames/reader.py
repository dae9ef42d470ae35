"""The polling thread of a frame pipeline: reads cameras' frames and keeps the latest of each."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from inference.frames.crops import boxed
from inference.frames.join import FrameJoiner
from inference.frames.latest import LatestFrames, WaitingFrame
from inference.plans import FramePlan
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

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
JOIN_SECONDS: Final = 0.005
TOPICS_SECONDS: Final = 30.0
LAG_SECONDS: Final = 5.0

Refuse = Callable[[Record, BaseException], None]


class FrameReader:
    """Polls Kafka whatever the model does, so that the group does not expel a worker with a slow
    model.

    Frames for a second stage wait for the first stage's predictions on them, which are read beside
    the group. ``cameras``: those that the group assigned to this worker. ``lag``: how many of their
    frames were unread at the last look. ``refuse`` is called with records that are not frames.
    """

    def __init__(self, plan: FramePlan, latest: LatestFrames, refuse: Refuse) -> None:
        self.plan = plan
        self.deployments = plan.by_camera
        self.latest = latest
        self.refuse = refuse
        self.group = topics.inference_group(plan.model, plan.version)
        self.cameras: frozenset[str] = frozenset()
        self.lag = 0
        self.plan_changed = threading.Event()
        self._joiners: dict[str, FrameJoiner[WaitingFrame]] = {}
        self._heard: dict[str, float] = {}

    def update(self, plan: FramePlan) -> None:
        """Follow another plan from now on. Thread-safe."""
        self.plan, self.deployments = plan, plan.by_camera
        self.latest.keep(plan.cameras)
        self.plan_changed.set()

    def run(self, stopping: threading.Event) -> None:
        frames, found, admin = LatestConsumer(self.group), PartitionReader(), Admin()
        topics_due = lag_due = 0.0
        try:
            while not stopping.is_set():
                # Clear before reading the plan: a change in between is seen in the next round.
                changed = self.plan_changed.is_set()
                self.plan_changed.clear()
                if changed or time.monotonic() >= topics_due:
                    topics_due = time.monotonic() + TOPICS_SECONDS
                    self._ensure(admin)
                    self._rewatch_silent(found)
                    if changed or not frames.subscribed:
                        self._subscribe(frames)
                if time.monotonic() >= lag_due:
                    lag_due = time.monotonic() + LAG_SECONDS
                    self.lag = frames.lag()
                self._follow_first_stages(found)
                self._read(frames, found)
        finally:
            self.cameras = frozenset()
            self._joiners.clear()
            self._heard.clear()
            frames.close()
            found.close()

    def _read(self, frames: LatestConsumer, found: PartitionReader) -> None:
        if (record := frames.poll(JOIN_SECONDS if self._joiners else POLL_SECONDS)) is not None:
            self.take_frame(record)
        while self._joiners and (record := found.poll(0)) is not None:
            self._take_first_stage(record)

    def _ensure(self, admin: Admin) -> None:
        wanted = [
            topic
            for camera in sorted(self.deployments)
            for topic in topics.camera_topics(camera, imprint=False)
        ]
        admin.forget()
        try:
            version = self.plan.model, self.plan.version
            admin.ensure([*wanted, topics.errors(*version), topics.model_history(*version)])
        except KafkaUnavailable as err:
            log.warning("topics not created model=%s detail=%s", self.plan.key, err)

    # The group

    def _subscribe(self, frames: LatestConsumer) -> None:
        wanted = [topics.frames(camera) for camera in sorted(self.deployments)]
        frames.follow(wanted, on_assign=self._assigned, on_revoke=self._revoked)

    def _assigned(self, partitions: Sequence[Partition]) -> None:
        self.cameras |= _cameras(partitions)

    def _revoked(self, partitions: Sequence[Partition]) -> None:
        self.cameras -= _cameras(partitions)

    # Frames

    def take_frame(self, record: Record) -> None:
        """Offer a frame to the model, or let it wait for the first stage. A record that is not a
        frame is refused.
        """
        camera = topics.camera_of(record.topic)
        if camera not in self.deployments:
            return
        try:
            frame = Frame.from_record(camera, record.value, record.header_map, record.offset)
        except MessageError as err:
            self.refuse(record, err)
            return
        waiting = WaitingFrame(frame, record, time.time_ns())
        if not self.deployments[camera].crops_of:
            self.latest.put(waiting)
        elif (joiner := self._joiners.get(camera)) is not None:
            joiner.add_frame(frame, waiting, time.monotonic())
            self._put_joined(camera, joiner)

    # First stages

    def _follow_first_stages(self, found: PartitionReader) -> None:
        wanted = {
            camera
            for camera in self.cameras
            if camera in self.deployments and self.deployments[camera].crops_of
        }
        for camera in self._joiners.keys() - wanted:
            found.unwatch(topics.predictions(camera))
            del self._joiners[camera], self._heard[camera]
        if not wanted:
            found.close()
        for camera in wanted - self._joiners.keys():
            found.watch(topics.predictions(camera), offset=OFFSET_END)
            self._joiners[camera] = FrameJoiner([self.deployments[camera].crops_of])
            self._heard[camera] = time.monotonic()

    def _take_first_stage(self, record: Record) -> None:
        camera = topics.camera_of(record.topic)
        joiner, deployment = self._joiners.get(camera), self.deployments.get(camera)
        if joiner is None or deployment is None:
            return
        self._heard[camera] = time.monotonic()
        if record.key != deployment.crops_of.encode():
            return
        try:
            joiner.add_prediction(Prediction.from_json(record.value))
        except MessageError as err:
            log.debug(
                "prediction skipped topic=%s offset=%s error=%s", record.topic, record.offset, err
            )
            return
        self._put_joined(camera, joiner)

    def _put_joined(self, camera: str, joiner: FrameJoiner[WaitingFrame]) -> None:
        """Offer frames that the first stage has predicted on, with its detections."""
        deployment = self.deployments[camera]
        joiner.models = frozenset([deployment.crops_of])
        for joined in joiner.ready(time.monotonic()):
            found = joined.predictions[deployment.crops_of].predictions
            self.latest.put(replace(joined.item, found=tuple(boxed(found, deployment.crop_label))))

    def _rewatch_silent(self, found: PartitionReader) -> None:
        """Watch silent predictions again: the client drops a topic that a restarted broker lacks,
        and does not return when the topic is recreated.
        """
        now = time.monotonic()
        for camera in [
            camera for camera, heard in self._heard.items() if now - heard > TOPICS_SECONDS
        ]:
            found.unwatch(topics.predictions(camera))
            found.watch(topics.predictions(camera), offset=OFFSET_END)
            self._heard[camera] = now


def _cameras(partitions: Sequence[Partition]) -> frozenset[str]:
    """The cameras of these partitions. Frames go to partition 0, however many the topic has."""
    return frozenset(topics.camera_of(topic) for topic, number in partitions if number == 0)
