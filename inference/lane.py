"""One model version at work: a thread that keeps the newest frames, and one that runs the model on them."""

from __future__ import annotations

import logging
import math
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

from cameras.secrets import redact_url
from inference import runtimes
from inference.plans import VersionPlan, View
from inference.runtimes.base import Picture, Runtime
from inference.runtimes.errors import InferenceError
from inference.slots import Slots, Waiting
from sightline import topics
from sightline.backoff import Backoff
from sightline.kafka import OFFSET_END, Admin, Consumer, KafkaUnavailable, Producer, Record
from sightline.messages import DeadLetter, Frame, MessageError, Prediction, Timing

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
TOPICS_SECONDS = 30.0


class Lane:
    """Runs one model version with delivery ``latest``. ``predicted`` and ``failed`` count frames, ``skipped`` those never looked at."""

    def __init__(self, plan: VersionPlan, producer: Producer) -> None:
        self.plan = plan
        self.producer = producer
        self.slots = Slots()
        self.predicted = self.failed = 0
        self.error = ""
        self.stopping = threading.Event()
        self.plan_changed = threading.Event()
        self.group = topics.inference_group(plan.model, plan.version)
        self.threads = [
            threading.Thread(target=guarded, args=(target, self.stopping, plan.key), name=f"{name}-{plan.key}", daemon=True)
            for name, target in (("poll", self._poll), ("model", self._infer))
        ]

    @property
    def skipped(self) -> int:
        """Frames that a newer one took the place of."""
        return self.slots.skipped

    def start(self) -> None:
        """Begin to read and predict."""
        for thread in self.threads:
            thread.start()

    def update(self, plan: VersionPlan) -> None:
        """See other cameras, or in other roles, from now on; what runs the model stays."""
        self.plan = plan
        self.slots.keep(plan.cameras)
        self.plan_changed.set()

    def stop(self) -> None:
        """Ask both threads to end."""
        self.stopping.set()

    def join(self, timeout: float) -> bool:
        """Whether both have ended within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    # The polling thread

    def _poll(self) -> None:
        """Read for ever, whatever the model does: so the group never takes this worker for dead, and slots hold the newest."""
        consumer = Consumer(self.group)
        admin = Admin()
        topics_due = 0.0
        try:
            while not self.stopping.is_set():
                if self.plan_changed.is_set() or time.monotonic() >= topics_due:
                    topics_due = time.monotonic() + TOPICS_SECONDS
                    self._subscribe(consumer, admin)
                if (record := consumer.poll(POLL_SECONDS)) is not None:
                    self._offer(record)
        finally:
            consumer.close()

    def _subscribe(self, consumer: Consumer, admin: Admin) -> None:
        # Cleared before the plan is read: a change that comes in between is seen in the next round.
        changed = self.plan_changed.is_set()
        self.plan_changed.clear()
        cameras = sorted(self.plan.cameras)
        wanted = [topic for camera in cameras for topic in topics.camera_topics(camera, imprint=False)]
        admin.forget()
        try:
            admin.ensure([*wanted, topics.errors(self.plan.model, self.plan.version)])
        except KafkaUnavailable as err:
            log.warning("topics not created model=%s detail=%s", self.plan.key, err)
        if changed or not consumer.subscribed:
            consumer.subscribe([topics.frames(camera) for camera in cameras], offset=OFFSET_END)

    def _offer(self, record: Record) -> None:
        camera = topics.camera_of(record.topic)
        if camera not in self.plan.cameras:
            return
        try:
            frame = Frame.from_record(camera, record.value, record.header_map, record.offset)
        except MessageError as err:
            self._dead_letter(record, err)
        else:
            self.slots.put(Waiting(frame, record, time.time_ns()))

    # The model's thread

    def _infer(self) -> None:
        runtime = self._load()
        if runtime is None:
            return
        try:
            while not self.stopping.is_set():
                for waiting in self.slots.take(1, POLL_SECONDS):
                    self._predict(runtime, waiting)
        finally:
            runtime.close()

    def _load(self) -> Runtime | None:
        """The runtime, ready; tried for ever, because what it lacks may come. None when the lane is stopped before."""
        backoff = Backoff()
        while not self.stopping.is_set():
            try:
                runtime = runtimes.create(self.plan.runtime, self.plan.option_values)
                runtime.load()
            except InferenceError as err:
                self.error = str(err)
                log.error("model does not load model=%s detail=%s", self.plan.key, err)
                self.stopping.wait(backoff.next())
            else:
                self.error = ""
                return runtime
        return None

    def _predict(self, runtime: Runtime, waiting: Waiting) -> None:
        view = dict(self.plan.views).get(waiting.frame.camera)
        if view is None:
            return
        try:
            self._send(self._ask(runtime, waiting, view))
        except (Exception, SystemExit) as err:  # noqa: BLE001 - a model may raise anything; whatever it is, it costs this one frame
            self._dead_letter(waiting.record, err)
        else:
            self.predicted += 1

    def _ask(self, runtime: Runtime, waiting: Waiting, view: View) -> Prediction:
        started_at = time.time_ns()
        detections = runtime.predict([Picture(waiting.frame)])[0]
        if not all(math.isfinite(item.score) for item in detections):
            raise InferenceError("The model gave a score that is not a number.", permanent=False)
        return Prediction(
            camera=waiting.frame.camera,
            model=self.plan.model,
            version=self.plan.version,
            role=view.role,
            frame=waiting.frame.ref,
            predictions=tuple(item for item in detections if item.score >= view.threshold),
            timing=Timing(waiting.consumed_at, started_at, time.time_ns()),
        )

    def _send(self, prediction: Prediction) -> None:
        self.producer.send(topics.predictions(prediction.camera), prediction.to_json(), key=prediction.key)

    def _dead_letter(self, record: Record, err: BaseException) -> None:
        self.failed += 1
        summary = traceback.TracebackException.from_exception(err)  # whose text is safe, whatever the exception's own __str__ does
        log.debug("frame failed model=%s topic=%s offset=%s error=%s", self.plan.key, record.topic, record.offset, summary)
        letter = DeadLetter(
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp=record.timestamp,
            group=self.group,
            model=self.plan.model,
            version=self.plan.version,
            error=f"{type(err).__module__}.{type(err).__qualname__}",
            message=redact_url(str(summary)),
            stacktrace=redact_url("".join(summary.format())),
        )
        headers = [*record.headers, *letter.headers().items()]
        self.producer.send(topics.errors(self.plan.model, self.plan.version), record.value, key=record.key, headers=headers)


def same_model(left: VersionPlan, right: VersionPlan) -> bool:
    """Whether a running lane can go over from one plan to the other without loading its model again."""
    return replace(left, views=()) == replace(right, views=())


def guarded(target: Callable[[], None], stopping: threading.Event, key: str) -> None:
    """Run a lane's thread again, after a while, when something unforeseen ends it."""
    backoff = Backoff()
    while not stopping.is_set():
        try:
            target()
        except Exception:
            log.exception("lane failed unexpectedly model=%s", key)
            stopping.wait(backoff.next())
