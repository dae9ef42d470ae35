"""The records worker: runs a record stream for each model version that is deployed on records."""

from __future__ import annotations

import logging
import threading
from typing import Final

from cameras.sources.credentials import redact_url
from inference.record_plans import RecordPlan, record_plans
from inference.runner.history import RecordSummary
from inference.runner.metrics import RunnerState
from inference.runner.worker import ModelRunner, RunnerWorker
from inference.runtimes.errors import InferenceError
from inference.streams.predict import RecordPredictor
from inference.streams.stream import RecordStream
from sightline.base.backoff import Backoff
from sightline.kafka import KafkaUnavailable, Producer, topics

log = logging.getLogger(__name__)

# Of the supervisor's 15 s. The records of a longer call of the model are left to the next worker.
STOP_SECONDS: Final = 12.0


class StreamRunner(ModelRunner[RecordPlan]):
    """Runs one model version's record stream in a thread of its own."""

    def __init__(self, plan: RecordPlan, producer: Producer, worker: str) -> None:
        super().__init__(plan, producer, worker)
        self.summary = RecordSummary(self.tracker)
        self.stream: RecordStream | None = None
        self._thread = threading.Thread(target=self._run, name=f"records-{plan.key}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def metrics(self) -> RunnerState:
        stream = self.stream
        lag, queued = (None, 0) if stream is None else (stream.lag(), stream.producer.queued)
        return RunnerState(
            self.status(),
            self.tracker,
            topics.records_group(self.plan.model, self.plan.version),
            lag,
            queued=queued,
        )

    def tell_history(self) -> None:
        """Publish what was done since the last call."""
        self.producer.send(
            topics.model_history(self.plan.model, self.plan.version),
            self.summary.take().to_json(),
            key=self.worker,
        )

    def _run(self) -> None:
        """Serve until stopped; start over with a back-off when something unforeseen ends it."""
        backoff = Backoff()
        while not self.stopping.is_set():
            try:
                self._serve()
            except KafkaUnavailable as err:
                log.warning("records wait for kafka model=%s reason=%s", self.plan.key, err)
                self.stopping.wait(backoff.next())
            except Exception as err:
                log.exception("record stream failed unexpectedly model=%s", self.plan.key)
                self.tracker.unloadable(redact_url(f"{type(err).__name__}: {err}"))
                self.stopping.wait(backoff.next())

    def _serve(self) -> None:
        predictor = RecordPredictor(self.plan, self.stopping)
        try:
            if not self._load(predictor):
                return
            stream = self.stream = RecordStream(
                self.plan, predictor, self.tracker, self.stopping, self.worker
            )
            try:
                stream.open()
                while not self.stopping.is_set():
                    stream.step()
            finally:
                self.stream = None
                stream.close()
        finally:
            predictor.close()

    def _load(self, predictor: RecordPredictor) -> bool:
        """Retry loading the model until it works, because what it lacks may come; False when the
        runner is stopped first.
        """
        backoff = Backoff()
        while not self.stopping.is_set():
            self.tracker.loading()
            reason = self.plan.objection or _reason_against(predictor)
            if not reason:
                self.tracker.loaded()
                return True
            self.tracker.unloadable(redact_url(reason))
            self.stopping.wait(backoff.next())
        return False


def _reason_against(predictor: RecordPredictor) -> str:
    """Load the model; returns why that fails, or ""."""
    try:
        predictor.load()
    except InferenceError as err:
        return str(err)
    except (Exception, SystemExit) as err:
        log.debug("model does not load model=%s", predictor.plan.key, exc_info=True)
        return f"The model does not load. {type(err).__name__}: {err}"
    return ""


class RecordsWorker(RunnerWorker[RecordPlan, StreamRunner]):
    """Follows the deployments on records. Several such workers share the partitions of each model
    version.
    """

    role = "records"
    stop_seconds = STOP_SECONDS

    def plans(self) -> dict[str, RecordPlan]:
        return record_plans()

    def lane(self, plan: RecordPlan) -> StreamRunner:
        return StreamRunner(plan, self.producer, self.name)
