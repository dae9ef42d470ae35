"""The capture worker: reads the cameras of its partitions of the assignments topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
from django.db import DatabaseError, close_old_connections
from prometheus_client.core import Metric

from cameras.capture.metrics import camera_metrics
from cameras.capture.reader import CameraReader, ReaderConfig
from cameras.models import Camera
from sightline.kafka import Admin, GroupConsumer, KafkaUnavailable, Partition, topics
from sightline.messages import CameraState, CameraStatus
from sightline.messages.history import Interval
from sightline.worker.worker import Worker

log = logging.getLogger(__name__)

STEP_SECONDS = 0.1
RECONCILE_SECONDS = 2.0
TOPICS_SECONDS = 30.0
STATUS_SECONDS = 1.0
STOP_SECONDS = 12.0
# How long one slow camera may delay the handover of the others to their next worker.
LEAVE_SECONDS = 2.0


class CaptureWorker(Worker):
    """One process with a thread per camera. The consumer group decides which cameras, so workers
    share them and take over from each other.
    """

    role = "capture"

    def __init__(self) -> None:
        super().__init__()
        self.consumer = GroupConsumer(topics.capture_group())
        self.admin = Admin()
        self.assigned: set[int] = set()
        self.assignment_lost = False
        self.partition_count = 0
        self.readers: dict[str, CameraReader] = {}
        self.stopping_readers: dict[str, CameraReader] = {}
        self.disabled: dict[str, CameraStatus] = {}
        self.reconcile_due = self.status_due = self.topics_due = 0.0
        self.interval = Interval()

    def open(self) -> None:
        # One thread per camera is the parallelism; OpenCV's own threads would only compete for the
        # cores.
        cv2.setNumThreads(1)

    def step(self) -> None:
        """Serve the group, follow the database, report. A record in the assignments topic triggers
        a look at the database.
        """
        # Serve delivery reports as they arrive: they measure how long Kafka took.
        served = self.producer.serve(STEP_SECONDS)
        if self.consumer.poll(0 if served else STEP_SECONDS) is not None:
            self.reconcile_due = 0.0
        now = time.monotonic()
        if now >= self.reconcile_due:
            self.reconcile_due = now + RECONCILE_SECONDS
            self.reconcile()
        if now >= self.status_due or any(
            reader.state.changed.is_set() for reader in self.readers.values()
        ):
            self.status_due = now + STATUS_SECONDS
            self.report()
        if self.interval.over():
            for reader in self.readers.values():
                reader.publish_history()

    def close(self) -> None:
        self._stop_readers(self.readers.keys())
        self._await_stopping(LEAVE_SECONDS)
        self.consumer.close()
        self._await_stopping(STOP_SECONDS - LEAVE_SECONDS)

    def _await_stopping(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for reader in self.stopping_readers.values():
            reader.join(max(0.0, deadline - time.monotonic()))

    def counters(self) -> dict[str, int]:
        statuses = [reader.state.status() for reader in self.readers.values()]
        return {
            "cameras": len(statuses),
            "frames": sum(status.frames for status in statuses),
            "frames_dropped": sum(status.dropped for status in statuses),
        }

    def metrics(self) -> Iterable[Metric]:
        readers = [*self.readers.values()]
        statuses = [*self.disabled.values(), *(reader.state.status() for reader in readers)]
        losses = {reader.config.camera: reader.state.losses() for reader in readers}
        durations = {reader.config.camera: reader.history.durations for reader in readers}
        return camera_metrics(statuses, losses, durations)

    # The group

    def _on_assign(self, partitions: Sequence[Partition]) -> None:
        if self.assignment_lost:
            self.assigned.clear()
            self.assignment_lost = False
        self.assigned.update(number for _, number in partitions)
        self.topics_due = self.reconcile_due = 0.0

    def _on_revoke(self, partitions: Sequence[Partition]) -> None:
        """Stop the cameras just as their next worker is told to start them, so that both read a
        camera no longer than its thread takes to end.
        """
        self.assigned.difference_update(number for _, number in partitions)
        self._stop_readers(self.readers.keys() - self._assigned_cameras(self.readers))

    def _on_lost(self, _partitions: Sequence[Partition]) -> None:
        """The group went on without this worker, or Kafka is away. Keep reading until the next
        assignment: reconnecting takes seconds.
        """
        self.assignment_lost = True

    def _assigned_cameras(self, cameras: Iterable[str]) -> set[str]:
        if not self.partition_count:
            return set()
        return topics.cameras_in(cameras, self.assigned, self.partition_count)

    # The database

    def reconcile(self) -> None:
        """Start and stop readers until they match the database and the assignment."""
        close_old_connections()
        try:
            self._join_group()
            cameras = {camera.slug: camera for camera in Camera.objects.all()}
        except KafkaUnavailable as err:
            log.debug("kafka unavailable, cameras not reconciled detail=%s", err)
            return
        except DatabaseError as err:
            log.warning("database unavailable, cameras keep running unchanged error=%s", err)
            return
        for slug in {*self.readers, *self.disabled} - cameras.keys():
            self.producer.send(topics.status(), None, key=f"camera/{slug}")
        assigned = [cameras[slug] for slug in self._assigned_cameras(cameras)]
        self._reconcile_disabled({camera.slug for camera in assigned if not camera.enabled})
        self._reconcile_readers([camera for camera in assigned if camera.enabled])

    def _join_group(self) -> None:
        """Ensure that the topics exist and that this worker is a member of the group. Repeated now
        and then: an embedded broker forgets everything when it restarts.
        """
        now = time.monotonic()
        if now < self.topics_due:
            return
        self.admin.forget()
        self.admin.ensure(topics.platform_topics())
        # A new topic may not be in the metadata yet: on 0, the next round asks again.
        self.partition_count = self.admin.partitions().get(topics.assignments().name, 0)
        if not self.partition_count:
            return
        self.topics_due = now + TOPICS_SECONDS
        if not self.consumer.subscribed:
            self.consumer.subscribe(
                [topics.assignments()],
                on_assign=self._on_assign,
                on_revoke=self._on_revoke,
                on_lost=self._on_lost,
            )

    def _reconcile_disabled(self, slugs: set[str]) -> None:
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

    def _reconcile_readers(self, cameras: Sequence[Camera]) -> None:
        configs = {camera.slug: ReaderConfig.of(camera) for camera in cameras}
        self._stop_readers(
            [slug for slug, reader in self.readers.items() if reader.config != configs.get(slug)]
        )
        try:
            self.admin.ensure(
                [
                    topic
                    for camera in cameras
                    for topic in topics.camera_topics(camera.slug, imprint=camera.imprint)
                ]
            )
        except KafkaUnavailable as err:
            log.warning("topics not created detail=%s", err)
        # A stopping reader still holds its connection; the next round tries again.
        for slug in configs.keys() - self.readers.keys() - self.stopping_readers.keys():
            config = configs[slug]
            reader = self.readers[slug] = CameraReader(config, self.producer, self.name)
            reader.start()
            log.info("camera started camera=%s kind=%s", slug, config.source.kind)

    def _stop_readers(self, slugs: Iterable[str]) -> None:
        for slug in [*slugs]:
            reader = self.readers.pop(slug)
            reader.stop()
            reader.publish_history()
            self.stopping_readers[slug] = reader
            log.info("camera stopping camera=%s", slug)
        self.stopping_readers = {
            slug: reader for slug, reader in self.stopping_readers.items() if not reader.join(0)
        }

    # The report

    def report(self) -> None:
        """Publish the state of every camera that this worker reads."""
        now = time.time_ns()
        statuses = [replace(status, at=now) for status in self.disabled.values()]
        for reader in self.readers.values():
            reader.state.changed.clear()
            statuses.append(reader.state.status())
        for status in statuses:
            self.producer.send(topics.status(), status.to_json(), key=status.key)
