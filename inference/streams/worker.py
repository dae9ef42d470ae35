"""The records worker: runs a record stream for each model version that is deployed on records."""

from __future__ import annotations

import logging
import threading
from typing import Final

from inference.plans import RecordPlan, record_plans
from inference.runner.history import RecordHistory
from inference.runner.loading import load_until_stopped
from inference.runner.metrics import RunnerSample
from inference.runner.worker import ModelRunner, RunnerWorker
from inference.runtimes.errors import InferenceError
from inference.runtimes.guard import error_text, guarded
from inference.streams.predict import RecordPredictor
from inference.streams.stream import RecordStream
from sightline.base.backoff import Backoff
from sightline.base.redaction import redact_url
from sightline.kafka import KafkaUnavailable, Producer, topics

log = logging.getLogger(__name__)

# Of the supervisor's 15 s. The records of a longer call of the model are left to the next worker.
STOP_SECONDS: Final = 12.0


class StreamRunner(ModelRunner[RecordPlan]):
    """Runs one model version's record stream in a thread of its own."""

    def __init__(self, plan: RecordPlan, producer: Producer, worker: str) -> None:
        super().__init__(plan, producer, worker)
        self.history = RecordHistory(self.state)
        self.stream: RecordStream | None = None
        self._thread = threading.Thread(target=self._run, name=f"records-{plan.key}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def metrics(self) -> RunnerSample:
        stream = self.stream
        lag, queued = (None, 0) if stream is None else (stream.lag(), stream.producer.queued)
        return RunnerSample(
            self.status(),
            self.state,
            topics.records_group(self.plan.model, self.plan.version),
            lag,
            queued=queued,
        )

    def publish_history(self) -> None:
        self.producer.send(
            topics.model_history(self.plan.model, self.plan.version),
            self.history.take().to_json(),
            key=self.worker,
        )

    def _run(self) -> None:
        """Serve until stopped; start over with a back-off when something unforeseen ends it."""
        backoff = Backoff()
        while not self.stopping.is_set():
            try:
                with guarded():
                    self._serve()
            except KafkaUnavailable as err:
                log.warning("records wait for kafka model=%s reason=%s", self.plan.key, err)
                self.stopping.wait(backoff.next())
            except Exception as err:
                log.exception("record stream failed unexpectedly model=%s", self.plan.key)
                self.state.unloadable(redact_url(error_text(err)))
                self.stopping.wait(backoff.next())

    def _serve(self) -> None:
        predictor = load_until_stopped(self._create_predictor, self.state, self.stopping)
        if predictor is None:
            return
        try:
            stream = self.stream = RecordStream(
                self.plan, predictor, self.state, self.stopping, self.worker
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

    def _create_predictor(self) -> RecordPredictor:
        if self.plan.objection:
            raise InferenceError(self.plan.objection, permanent=True)
        return RecordPredictor(self.plan, self.stopping)


class RecordsWorker(RunnerWorker[RecordPlan, StreamRunner]):
    """Follows the deployments on records. Several such workers share the partitions of each model
    version.
    """

    role = "records"
    stop_seconds = STOP_SECONDS

    def plans(self) -> dict[str, RecordPlan]:
        return record_plans()

    def create_runner(self, plan: RecordPlan) -> StreamRunner:
        return StreamRunner(plan, self.producer, self.name)
