"""One model version at work: a thread that keeps the newest frames, one that prepares them, and
one that runs the model on them.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from cameras.sources.credentials import redact_url
from inference.frames.crops import placed
from inference.frames.latest import LatestFrames
from inference.frames.prefetch import Job, Prefetch
from inference.frames.reader import FrameReader
from inference.plans import VersionPlan
from inference.runner.dead_letter import dead_letter, send_dead_letter
from inference.runner.history import ModelSummary, Totals
from inference.runner.metrics import RunnerState
from inference.runner.worker import ModelRunner
from inference.runtimes.base import Runtime
from inference.runtimes.batching import Result, detections_of
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.base.backoff import Backoff
from sightline.base.process import settle
from sightline.kafka import Producer, Record, topics
from sightline.messages import Detection, ModelStatus, Prediction, Timing
from sightline.telemetry import tracing

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
AWAY_SECONDS = 1.0
LOAD_SECONDS = 8.0
# Of a model that fails on every picture, so many become dead letters, then one so often: a week of
# all of them would fill Kafka's disk.
LETTERS_IN_A_ROW = 10
LETTER_SECONDS = 1.0


class FramePipeline(ModelRunner[VersionPlan]):
    """Runs one model version with delivery ``latest``."""

    def __init__(self, plan: VersionPlan, producer: Producer, worker: str = "") -> None:
        super().__init__(plan, producer, worker)
        self.slots = LatestFrames()
        self.summary = ModelSummary()
        self._letter_due = 0.0
        self.intake = FrameReader(plan, self.slots, self._dead_letter)
        self.prefetch = Prefetch(
            self.slots, lambda: self.plan, lambda: len(self.intake.cameras), self._dead_letter
        )
        parts = {"poll": self.intake.run, "prepare": self.prefetch.run, "model": self._infer}
        self.threads = [
            threading.Thread(
                target=guarded,
                args=(part, self.stopping, plan.key),
                name=f"{name}-{plan.key}",
                daemon=True,
            )
            for name, part in parts.items()
        ]

    @property
    def predicted(self) -> int:
        """Frames that the model has answered."""
        return self.tracker.predicted

    @property
    def failed(self) -> int:
        """Frames that became dead letters."""
        return self.tracker.failed

    @property
    def errors(self) -> int:
        """Frames without an answer because the model's server was away."""
        return self.tracker.errors

    @property
    def skipped(self) -> int:
        """Frames that a newer one took the place of."""
        return self.slots.skipped

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def update(self, plan: VersionPlan) -> None:
        """See other cameras, or in other roles, from now on; what runs the model stays."""
        self.plan = plan
        self.intake.update(plan)
        self.summary.keep(plan.cameras)

    def join(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def status(self) -> ModelStatus:
        return self.tracker.status(
            cameras=tuple(sorted(self.intake.cameras & self.plan.cameras)), skipped=self.skipped
        )

    def metrics(self) -> RunnerState:
        totals = self.summary.totals
        cameras = {
            camera: totals.get(camera, Totals())
            for camera in self.plan.cameras & (self.intake.cameras | totals.keys())
        }
        return RunnerState(
            self.status(),
            self.tracker,
            self.intake.group,
            self.intake.lag,
            cameras,
            self.slots.skips(),
        )

    def tell_history(self) -> None:
        """Publish what was done since the last time, for each camera and in all."""
        cameras, in_all = self.summary.take(
            self.intake.cameras & self.plan.cameras, self.slots.skips()
        )
        for camera, history in cameras.items():
            self.producer.send(topics.camera_history(camera), history.to_json(), key=self.plan.key)
        self.producer.send(
            topics.model_history(self.plan.model, self.plan.version),
            in_all.to_json(),
            key=self.worker,
        )

    # The model's thread

    def _infer(self, stopping: threading.Event) -> None:
        runtime = self._load()
        if runtime is None:
            return
        away = Backoff(first=0.1, most=AWAY_SECONDS)
        try:
            while not stopping.is_set():
                if not (jobs := self.prefetch.next(POLL_SECONDS)):
                    continue
                if self._predict(runtime, jobs):
                    away.reset()
                else:
                    stopping.wait(away.next())
        finally:
            runtime.close()

    def _load(self) -> Runtime | None:
        """The runtime, ready; tried for ever, because what it lacks may come. None when the lane
        is stopped before.
        """
        backoff = Backoff(most=LOAD_SECONDS)
        while not self.stopping.is_set():
            self.tracker.loading()
            try:
                return self._loaded(self.plan.create())
            except InferenceError as err:
                self.tracker.unloadable(redact_url(str(err)))
            except (Exception, SystemExit) as err:
                log.debug("model does not load model=%s", self.plan.key, exc_info=True)
                summary = "".join(
                    traceback.TracebackException.from_exception(err).format_exception_only()
                )
                self.tracker.unloadable(redact_url(f"The model does not load. {summary.strip()}"))
            self.stopping.wait(backoff.next())
        return None

    def _loaded(self, runtime: Runtime) -> Runtime:
        try:
            runtime.load()
        except BaseException:
            runtime.close()
            raise
        settle()
        self.tracker.loaded()
        return runtime

    def _predict(self, runtime: Runtime, jobs: list[Job]) -> bool:
        """Ask the model and send what it says; False when its server is away."""
        started_at = time.time_ns()
        pictures = [picture for job in jobs for picture in job.pictures]
        answers = detections_of(runtime, pictures, self.plan.batch)
        finished_at = time.time_ns()
        rest = iter(answers)
        sent = sum(
            self._deliver(job, list(islice(rest, len(job.pictures))), started_at, finished_at)
            for job in jobs
        )
        if sent:
            self.tracker.predict(sent, (finished_at - started_at) / 1e9 if pictures else None)
        away = [answer for answer in answers if isinstance(answer, ServerUnavailable)]
        if pictures and not away:
            self.prefetch.looks = pictures[-1].looks
        return not away

    def _deliver(
        self,
        job: Job,
        answers: list[Result[tuple[Detection, ...]]],
        started_at: int,
        finished_at: int,
    ) -> bool:
        """Send what the model says of one frame, or say why there is nothing to send; whether it
        was sent.
        """
        failure = next((answer for answer in answers if isinstance(answer, BaseException)), None)
        if isinstance(failure, ServerUnavailable):
            self.tracker.unavailable(1, redact_url(str(failure)))
            self.summary.unavailable(job.waiting.frame.camera)
            return False
        try:
            if failure is not None:
                raise failure
            prediction = self._prediction(
                job,
                _detections(job, answers),
                Timing(job.waiting.consumed_at, started_at, finished_at),
            )
            value = prediction.to_json()
        except (Exception, SystemExit) as err:  # noqa: BLE001 - what a model gives may be anything, too
            self._dead_letter(job.waiting.record, err)
            return False
        parent = job.waiting.frame.trace
        headers = {tracing.HEADER: parent.encode()} if parent else None
        self.producer.send(
            topics.predictions(prediction.camera), value, key=prediction.key, headers=headers
        )
        if parent:
            _trace(parent, prediction)
        self.summary.predict(prediction, asked=bool(job.pictures))
        return True

    def _prediction(self, job: Job, detections: Iterable[Detection], timing: Timing) -> Prediction:
        return Prediction(
            camera=job.waiting.frame.camera,
            model=self.plan.model,
            version=self.plan.version,
            role=job.view.role,
            frame=job.frame,
            predictions=tuple(item for item in detections if item.score >= job.view.threshold),
            timing=timing,
        )

    def _dead_letter(self, record: Record, err: BaseException) -> None:
        letter = dead_letter(
            record, err, group=self.intake.group, model=self.plan.model, version=self.plan.version
        )
        log.debug(
            "frame failed model=%s topic=%s offset=%s error=%s",
            self.plan.key,
            record.topic,
            record.offset,
            letter.message,
        )
        if self.tracker.in_a_row < LETTERS_IN_A_ROW or time.monotonic() >= self._letter_due:
            self._letter_due = time.monotonic() + LETTER_SECONDS
            if not send_dead_letter(self.producer, record, letter, self._letter_delivered):
                self.tracker.unwritten()
        self.tracker.fail(letter.message or letter.error)
        self.summary.fail(topics.camera_of(record.topic))

    def _letter_delivered(self, error: str) -> None:
        if error:
            self.tracker.unwritten()


def _trace(parent: str, prediction: Prediction) -> None:
    """The spans of a traced frame here: on the way from the camera, in waiting, in the model,
    being published.
    """
    timing, now = prediction.timing, time.time_ns()
    facts: dict[str, tracing.Facts] = {
        "camera": prediction.camera,
        "model": prediction.model,
        "version": prediction.version,
        "seq": prediction.frame.seq,
    }
    trace = tracing.follow(parent, "infer", prediction.frame.captured_at, **facts)
    if trace is not None:
        trace.part("transport", prediction.frame.captured_at, timing.consumed_at)
        trace.part("waiting", timing.consumed_at, timing.started_at)
        trace.part("model", timing.started_at, timing.finished_at)
        trace.part("publish", timing.finished_at, now)
        trace.end(now)


def _detections(job: Job, answers: Iterable[Result[tuple[Detection, ...]]]) -> Iterator[Detection]:
    for number, seen in enumerate(answers):
        if isinstance(seen, tuple):
            yield from placed(seen, job.crops[number]) if job.crops else seen


def guarded(target: Callable[[threading.Event], None], stopping: threading.Event, key: str) -> None:
    """Run a lane's thread again, after a while, when something unforeseen ends it."""
    backoff = Backoff()
    while not stopping.is_set():
        try:
            target(stopping)
        except Exception:
            log.exception("lane failed unexpectedly model=%s", key)
            stopping.wait(backoff.next())
