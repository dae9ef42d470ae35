"""Runs one model version on cameras: one thread reads the latest frames, one prepares them, and one
runs the model.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from inference.frames.latest import LatestFrames
from inference.frames.predict import PreparedFrame, predict
from inference.frames.prefetch import Prefetch
from inference.frames.reader import FrameReader
from inference.plans import FramePlan
from inference.runner.dead_letter import dead_letter, send_dead_letter
from inference.runner.history import CameraLedger, FrameHistory
from inference.runner.loading import load_until_stopped
from inference.runner.metrics import RunnerSample
from inference.runner.worker import ModelRunner
from inference.runtimes.base import Runtime
from inference.runtimes.batching import Result
from inference.runtimes.errors import ServerUnavailable
from inference.runtimes.guard import error_text, guarded
from sightline.base.backoff import Backoff
from sightline.base.redaction import redact_url
from sightline.kafka import Producer, Record, topics
from sightline.messages import ModelStatus, Prediction
from sightline.telemetry import tracing

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
UNAVAILABLE_SECONDS = 1.0
MAX_LOAD_PAUSE_SECONDS = 8.0
# Cap dead letters from a model that fails on every frame: a week of them would fill Kafka's disk.
MAX_DEAD_LETTERS_IN_A_ROW = 10
DEAD_LETTER_SECONDS = 1.0


class FramePipeline(ModelRunner[FramePlan]):
    """Runs one model version with delivery ``latest``."""

    def __init__(self, plan: FramePlan, producer: Producer, worker: str = "") -> None:
        super().__init__(plan, producer, worker)
        self.latest = LatestFrames()
        self.history = FrameHistory()
        self._dead_letter_due = 0.0
        self.reader = FrameReader(plan, self.latest, self._dead_letter)
        self.prefetch = Prefetch(
            self.latest, lambda: self.plan, lambda: len(self.reader.cameras), self._dead_letter
        )
        parts = {"poll": self.reader.run, "prepare": self.prefetch.run, "model": self._run_model}
        self.threads = [
            threading.Thread(
                target=run_guarded,
                args=(part, self.stopping, plan.key, self.state.add_unavailable),
                name=f"{name}-{plan.key}",
                daemon=True,
            )
            for name, part in parts.items()
        ]

    @property
    def predicted(self) -> int:
        """Frames with a prediction."""
        return self.state.predicted

    @property
    def failed(self) -> int:
        """Frames that became dead letters."""
        return self.state.failed

    @property
    def errors(self) -> int:
        """Frames without a prediction because the model's server was away."""
        return self.state.errors

    @property
    def skipped(self) -> int:
        """Frames that were replaced by a newer one."""
        return self.latest.skipped

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def update(self, plan: FramePlan) -> None:
        """Follow other cameras or roles without loading the model again."""
        self.plan = plan
        self.reader.update(plan)
        self.history.keep(plan.cameras)

    def join(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def status(self) -> ModelStatus:
        return self.state.status(
            cameras=tuple(sorted(self.reader.cameras & self.plan.cameras)), skipped=self.skipped
        )

    def metrics(self) -> RunnerSample:
        ledgers = self.history.cameras
        cameras = {
            camera: ledgers.get(camera) or CameraLedger()
            for camera in self.plan.cameras & (self.reader.cameras | ledgers.keys())
        }
        return RunnerSample(
            self.status(),
            self.state,
            self.reader.group,
            self.reader.lag,
            cameras,
            self.latest.skips(),
        )

    def publish_history(self) -> None:
        cameras, in_all = self.history.take(
            self.reader.cameras & self.plan.cameras, self.latest.skips()
        )
        for camera, history in cameras.items():
            self.producer.send(topics.camera_history(camera), history.to_json(), key=self.plan.key)
        self.producer.send(
            topics.model_history(self.plan.model, self.plan.version),
            in_all.to_json(),
            key=self.worker,
        )

    # The model's thread

    def _run_model(self, stopping: threading.Event) -> None:
        runtime = load_until_stopped(self.plan.create, self.state, stopping, MAX_LOAD_PAUSE_SECONDS)
        if runtime is None:
            return
        backoff = Backoff(first=0.1, maximum=UNAVAILABLE_SECONDS)
        try:
            while not stopping.is_set():
                if not (frames := self.prefetch.next(POLL_SECONDS)):
                    continue
                if self._predict(runtime, frames):
                    backoff.reset()
                else:
                    stopping.wait(backoff.next())
        finally:
            runtime.close()

    def _predict(self, runtime: Runtime, frames: list[PreparedFrame]) -> bool:
        """Predict on frames and publish the predictions; False when the model's server is away."""
        plan = self.plan
        with self.state.call():
            results = predict(runtime, frames, plan.model, plan.version, plan.batch)
        published = sum(map(self._publish, frames, results))
        pictures = [picture for frame in frames for picture in frame.pictures]
        if published:
            timing = next(item.timing for item in results if isinstance(item, Prediction))
            seconds = (timing.finished_at - timing.started_at) / 1e9
            self.state.add_predicted(published, seconds if pictures else None)
        is_away = any(isinstance(result, ServerUnavailable) for result in results)
        if pictures and not is_away:
            self.prefetch.decodings = pictures[-1].decodings
        return not is_away

    def _publish(self, frame: PreparedFrame, result: Result[Prediction]) -> bool:
        """Produce a prediction or send a dead letter; returns whether it was a prediction."""
        waiting = frame.waiting
        if isinstance(result, ServerUnavailable):
            self.state.add_unavailable(1, redact_url(str(result)))
            self.history.add_unavailable(waiting.frame.camera)
            return False
        try:
            if isinstance(result, BaseException):
                raise result
            with guarded():
                value = result.to_json()
        except Exception as err:  # noqa: BLE001 - a model may give and raise anything
            self._dead_letter(waiting.record, err)
            return False
        parent = waiting.frame.trace
        headers = {tracing.HEADER: parent.encode()} if parent else None
        self.producer.send(
            topics.predictions(result.camera), value, key=result.key, headers=headers
        )
        if parent:
            _trace(parent, result)
        self.history.add_prediction(result, model_called=bool(frame.pictures))
        return True

    def _dead_letter(self, record: Record, err: BaseException) -> None:
        letter = dead_letter(record, err, group=self.reader.group, plan=self.plan)
        log.debug(
            "frame failed model=%s topic=%s offset=%s error=%s",
            self.plan.key,
            record.topic,
            record.offset,
            letter.message,
        )
        if (
            self.state.in_a_row < MAX_DEAD_LETTERS_IN_A_ROW
            or time.monotonic() >= self._dead_letter_due
        ):
            self._dead_letter_due = time.monotonic() + DEAD_LETTER_SECONDS
            if not send_dead_letter(self.producer, record, letter, self._note_delivery):
                self.state.add_unwritten()
        self.state.add_failed(letter.message or letter.error)
        self.history.add_failed(topics.camera_of(record.topic))

    def _note_delivery(self, error: str) -> None:
        if error:
            self.state.add_unwritten()


def _trace(parent: str, prediction: Prediction) -> None:
    """Record the spans of a traced frame: transport, waiting, model, publish."""
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


def run_guarded(
    run: Callable[[threading.Event], None],
    stopping: threading.Event,
    key: str,
    on_failure: Callable[[int, str], None],
) -> None:
    """Restart a pipeline's thread, after a pause, when an unexpected error ends it. Its state says
    so until the model predicts again.
    """
    backoff = Backoff()
    while not stopping.is_set():
        try:
            with guarded():
                run(stopping)
        except Exception as err:
            log.exception("frame pipeline failed unexpectedly model=%s", key)
            on_failure(0, redact_url(error_text(err)))
            stopping.wait(backoff.next())
