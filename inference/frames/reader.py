"""The polling thread of a lane: reads its cameras' frames for ever and keeps the newest of each
in a slot.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from inference.frames.crops import boxed
from inference.frames.latest import LatestFrames, Waiting
from inference.frames.pairing import Pairing
from inference.plans import VersionPlan
from sightline.kafka import (
    OFFSET_END,
    Admin,
    Consumer,
    KafkaUnavailable,
    LatestConsumer,
    Partition,
    Record,
    topics,
)
from sightline.messages import Frame, Prediction
from sightline.messages.json import MessageError

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
PAIR_SECONDS: Final = 0.005
TOPICS_SECONDS: Final = 30.0
LAG_SECONDS: Final = 5.0

Refuse = Callable[[Record, BaseException], None]


class FrameReader:
    """Reads whatever the model does: so the group never takes this worker for dead, and slots hold
    the newest.

    Frames of cameras that a second stage sees wait for what the first stage finds in them, read
    from the cameras' predictions topics beside the group. ``cameras`` are those that the group
    gave to this worker; ``lag``: how many of their frames were not read, some seconds ago.
    ``refuse`` is told of records that are no frames.
    """

    def __init__(self, plan: VersionPlan, slots: LatestFrames, refuse: Refuse) -> None:
        self.plan = plan
        self.views = plan.view_of
        self.slots = slots
        self.refuse = refuse
        self.group = topics.inference_group(plan.model, plan.version)
        self.cameras: frozenset[str] = frozenset()
        self.lag = 0
        self.plan_changed = threading.Event()
        self._pairings: dict[str, Pairing] = {}
        self._heard: dict[str, float] = {}

    def update(self, plan: VersionPlan) -> None:
        """See other cameras, or otherwise, from now on. For any thread."""
        self.plan, self.views = plan, plan.view_of
        self.slots.keep(plan.cameras)
        self.plan_changed.set()

    def run(self, stopping: threading.Event) -> None:
        """Read until told to stop."""
        frames, found, admin = LatestConsumer(self.group), Consumer(), Admin()
        topics_due = lag_due = 0.0
        try:
            while not stopping.is_set():
                # Cleared before the plan is read: a change that comes in between is seen in the
                # next round.
                changed = self.plan_changed.is_set()
                self.plan_changed.clear()
                if changed or time.monotonic() >= topics_due:
                    topics_due = time.monotonic() + TOPICS_SECONDS
                    self._ensure(admin)
                    self._watch_the_silent_anew(found)
                    if changed or not frames.subscribed:
                        self._subscribe(frames)
                if time.monotonic() >= lag_due:
                    lag_due = time.monotonic() + LAG_SECONDS
                    self.lag = frames.lag()
                self._follow_first_stages(found)
                self._read(frames, found)
        finally:
            self.cameras = frozenset()
            self._pairings.clear()
            self._heard.clear()
            frames.close()
            found.close()

    def _read(self, frames: LatestConsumer, found: Consumer) -> None:
        if (record := frames.poll(PAIR_SECONDS if self._pairings else POLL_SECONDS)) is not None:
            self.take_frame(record)
        while self._pairings and (record := found.poll(0)) is not None:
            self._take_found(record)

    def _ensure(self, admin: Admin) -> None:
        wanted = [
            topic
            for camera in sorted(self.views)
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
        wanted = [topics.frames(camera) for camera in sorted(self.views)]
        frames.follow(wanted, on_assign=self._assigned, on_revoke=self._revoked)

    def _assigned(self, partitions: Sequence[Partition]) -> None:
        self.cameras |= _cameras(partitions)

    def _revoked(self, partitions: Sequence[Partition]) -> None:
        self.cameras -= _cameras(partitions)

    # Frames

    def take_frame(self, record: Record) -> None:
        """Into the slot with it, or where it waits for the first stage; ``refuse`` is told when
        it is no frame.
        """
        camera = topics.camera_of(record.topic)
        if camera not in self.views:
            return
        try:
            frame = Frame.from_record(camera, record.value, record.header_map, record.offset)
        except MessageError as err:
            self.refuse(record, err)
            return
        waiting = Waiting(frame, record, time.time_ns())
        if self.views[camera].crops_of:
            pairing = self._pairings.get(camera)
            self._offer(pairing.add_frame(waiting) if pairing else None)
        else:
            self.slots.put(waiting)

    def _offer(self, waiting: Waiting | None) -> None:
        if waiting is not None:
            self.slots.put(waiting)

    # What first stages find

    def _follow_first_stages(self, found: Consumer) -> None:
        wanted = {
            camera
            for camera in self.cameras
            if camera in self.views and self.views[camera].crops_of
        }
        for camera in self._pairings.keys() - wanted:
            found.unwatch(topics.predictions(camera))
            del self._pairings[camera], self._heard[camera]
        if not wanted:
            found.close()
        for camera in wanted - self._pairings.keys():
            found.watch(topics.predictions(camera), offset=OFFSET_END)
            self._pairings[camera] = Pairing()
            self._heard[camera] = time.monotonic()

    def _take_found(self, record: Record) -> None:
        camera = topics.camera_of(record.topic)
        pairing, view = self._pairings.get(camera), self.views.get(camera)
        if pairing is None or view is None:
            return
        self._heard[camera] = time.monotonic()
        if record.key != view.crops_of.encode():
            return
        try:
            prediction = Prediction.from_json(record.value)
        except MessageError as err:
            log.debug(
                "prediction skipped topic=%s offset=%s error=%s", record.topic, record.offset, err
            )
            return
        self._offer(
            pairing.add_found(
                prediction.frame, tuple(boxed(prediction.predictions, view.crop_label))
            )
        )

    def _watch_the_silent_anew(self, found: Consumer) -> None:
        """A broker that came back without a topic makes the client give that topic up, also when
        it is created again.
        """
        now = time.monotonic()
        for camera in [
            camera for camera, heard in self._heard.items() if now - heard > TOPICS_SECONDS
        ]:
            found.unwatch(topics.predictions(camera))
            found.watch(topics.predictions(camera), offset=OFFSET_END)
            self._heard[camera] = now


def _cameras(partitions: Sequence[Partition]) -> frozenset[str]:
    """Those whose frames are in these partitions; frames go to partition 0, whatever the broker
    made of the topic.
    """
    return frozenset(topics.camera_of(topic) for topic, number in partitions if number == 0)
