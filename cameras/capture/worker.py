"""The capture worker: reads those cameras whose partitions of the assignments topic are its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
from django.db import DatabaseError, close_old_connections
from prometheus_client.core import Metric

from cameras.capture.metrics import camera_metrics
from cameras.capture.reader import CameraReader, Plan
from cameras.models import Camera
from sightline.kafka import Admin, Consumer, KafkaUnavailable, Partition, topics
from sightline.messages import CameraState, CameraStatus
from sightline.messages.history import Interval
from sightline.worker.worker import Worker

log = logging.getLogger(__name__)

STEP_SECONDS = 0.1
RECONCILE_SECONDS = 2.0
TOPICS_SECONDS = 30.0
STATUS_SECONDS = 1.0
STOP_SECONDS = 12.0
# A camera that does not let go at once does not keep the others from their next worker for longer
# than this.
LEAVE_SECONDS = 2.0


class CaptureWorker(Worker):
    """One process with a thread per camera. Which cameras: decided by the consumer group, so
    that workers share them and take over.
    """

    role = "capture"

    def __init__(self) -> None:
        super().__init__()
        self.consumer = Consumer(topics.capture_group())
        self.admin = Admin()
        self.owned: set[int] = set()
        self.lost = False
        self.grabbers: dict[str, CameraReader] = {}
        self.ending: dict[str, CameraReader] = {}
        self.disabled: dict[str, CameraStatus] = {}
        self.reconcile_due = self.status_due = self.topics_due = 0.0
        self.partitions = 0
        self.interval = Interval()

    def open(self) -> None:
        # A thread a camera is the parallelism; OpenCV's own threads on top of them only fight over
        # the cores.
        cv2.setNumThreads(1)

    def step(self) -> None:
        """Serve the group, follow the database, report. A record in the assignments topic means:
        look at the database now.
        """
        # Reports of delivery are taken as they come: they tell how long Kafka took.
        served = self.producer.serve(STEP_SECONDS)
        if self.consumer.poll(0 if served else STEP_SECONDS) is not None:
            self.reconcile_due = 0.0
        now = time.monotonic()
        if now >= self.reconcile_due:
            self.reconcile_due = now + RECONCILE_SECONDS
            self.reconcile()
        if now >= self.status_due or any(
            grabber.tracker.changed.is_set() for grabber in self.grabbers.values()
        ):
            self.status_due = now + STATUS_SECONDS
            self.report()
        if self.interval.over():
            for grabber in self.grabbers.values():
                grabber.tell_history()

    def close(self) -> None:
        self._keep(set())
        self._await_ending(LEAVE_SECONDS)
        self.consumer.close()
        self._await_ending(STOP_SECONDS - LEAVE_SECONDS)

    def _await_ending(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for grabber in self.ending.values():
            grabber.join(max(0.0, deadline - time.monotonic()))

    def counters(self) -> dict[str, int]:
        statuses = [grabber.tracker.status() for grabber in self.grabbers.values()]
        return {
            "cameras": len(statuses),
            "frames": sum(status.frames for status in statuses),
            "frames_dropped": sum(status.dropped for status in statuses),
        }

    def metrics(self) -> Iterable[Metric]:
        grabbers = [*self.grabbers.values()]
        statuses = [*self.disabled.values(), *(grabber.tracker.status() for grabber in grabbers)]
        losses = {grabber.plan.camera: grabber.tracker.losses() for grabber in grabbers}
        durations = {grabber.plan.camera: grabber.summary.durations for grabber in grabbers}
        return camera_metrics(statuses, losses, durations)

    # The group

    def _assigned(self, partitions: Sequence[Partition]) -> None:
        if self.lost:
            self.owned.clear()
            self.lost = False
        self.owned.update(number for _, number in partitions)
        self.topics_due = self.reconcile_due = 0.0

    def _revoked(self, partitions: Sequence[Partition]) -> None:
        """Ask the cameras to stop as the next owner is told to start, so that none is read twice
        for longer than its thread takes to end.
        """
        self.owned.difference_update(number for _, number in partitions)
        self._keep(self._mine(self.grabbers))

    def _lost(self, _partitions: Sequence[Partition]) -> None:
        """The group went on without us, or Kafka is away. Cameras go on until the group says
        whose they are: connecting anew takes seconds.
        """
        self.lost = True

    def _mine(self, cameras: Iterable[str]) -> set[str]:
        return topics.cameras_in(cameras, self.owned, self.partitions) if self.partitions else set()

    # The database

    def reconcile(self) -> None:
        """Make the running cameras those that should run."""
        close_old_connections()
        try:
            self._join()
            cameras = {camera.slug: camera for camera in Camera.objects.all()}
        except KafkaUnavailable as err:
            log.debug("cameras wait for kafka detail=%s", err)
            return
        except DatabaseError as err:
            log.warning("database unavailable, cameras go on as they are error=%s", err)
            return
        self._follow(
            {slug: cameras[slug] for slug in self._mine(cameras)},
            removed={*self.grabbers, *self.disabled} - cameras.keys(),
        )

    def _join(self) -> None:
        """Be a member of the group, on a topic that exists. Asked again now and then: an
        embedded broker that restarts has forgotten all.
        """
        now = time.monotonic()
        if now < self.topics_due:
            return
        self.admin.forget()
        self.admin.ensure(topics.platform_topics())
        # A topic that was created a moment ago may not be in the metadata yet: 0 means that the
        # next round asks again.
        self.partitions = self.admin.partitions().get(topics.assignments().name, 0)
        if not self.partitions:
            return
        self.topics_due = now + TOPICS_SECONDS
        if not self.consumer.subscribed:
            self.consumer.subscribe(
                [topics.assignments()],
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._lost,
            )

    def _follow(self, mine: dict[str, Camera], removed: set[str]) -> None:
        plans = {slug: Plan.of(camera) for slug, camera in mine.items() if camera.enabled}
        self._keep(
            {
                slug
                for slug, plan in plans.items()
                if slug in self.grabbers and self.grabbers[slug].plan == plan
            }
        )
        for slug in removed:
            self.producer.send(topics.status(), None, key=f"camera/{slug}")
        self._note_disabled({slug for slug, camera in mine.items() if not camera.enabled})
        # The old thread of an ending one still holds the connection; the next round tries again.
        new = plans.keys() - self.grabbers.keys() - self.ending.keys()
        self._ensure_topics(mine[slug] for slug in plans)
        for slug in new:
            self._start(plans[slug])

    def _ensure_topics(self, cameras: Iterable[Camera]) -> None:
        wanted = [
            topic
            for camera in cameras
            for topic in topics.camera_topics(camera.slug, imprint=camera.imprint)
        ]
        try:
            self.admin.ensure(wanted)
        except KafkaUnavailable as err:
            log.warning("topics not created detail=%s", err)

    def _start(self, plan: Plan) -> None:
        grabber = self.grabbers[plan.camera] = CameraReader(plan, self.producer, self.name)
        grabber.start()
        log.info("camera started camera=%s kind=%s", plan.camera, plan.source.kind)

    def _keep(self, wanted: set[str]) -> None:
        for slug in self.grabbers.keys() - wanted:
            grabber = self.grabbers.pop(slug)
            grabber.stop()
            grabber.tell_history()
            self.ending[slug] = grabber
            log.info("camera stopping camera=%s", slug)
        self.ending = {
            slug: grabber for slug, grabber in self.ending.items() if not grabber.join(0)
        }

    def _note_disabled(self, slugs: set[str]) -> None:
        now = time.time_ns()
        for slug in slugs - self.disabled.keys():
            self.disabled[slug] = CameraStatus(
                slug,
                CameraState.DISABLED,
                now,
                now,
                "This camera is switched off in its settings.",
                worker=self.name,
            )
            self.status_due = 0.0
        for slug in self.disabled.keys() - slugs:
            del self.disabled[slug]

    # The report

    def report(self) -> None:
        """Publish the state of every camera that is ours."""
        now = time.time_ns()
        statuses = [replace(status, at=now) for status in self.disabled.values()]
        for grabber in self.grabbers.values():
            grabber.tracker.changed.clear()
            statuses.append(grabber.tracker.status())
        for status in statuses:
            self.producer.send(topics.status(), status.to_json(), key=status.key)
