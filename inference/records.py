"""The records worker: a lane for each model version between its topics of inputs, outputs and errors."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from django.db import DatabaseError, close_old_connections

from cameras.secrets import redact_url
from inference.record_answers import Answers
from inference.record_plans import RecordPlan, record_plans
from inference.record_stream import RecordStream
from inference.runtimes.errors import InferenceError
from inference.summary import RecordSummary
from inference.tracker import ModelTracker
from sightline import topics
from sightline.backoff import Backoff
from sightline.history import Interval
from sightline.kafka import KafkaUnavailable, Producer
from sightline.messages import ModelState, ModelStatus, model_key
from sightline.worker import Worker

log = logging.getLogger(__name__)

RECONCILE_SECONDS: Final = 1.0
# Of the 15 s that the supervisor gives: a call of the model that lasts longer than this is answered again by the next worker.
STOP_SECONDS: Final = 12.0


class RecordLane:
    """A thread that keeps one model version at its records."""

    def __init__(self, plan: RecordPlan, producer: Producer, worker: str) -> None:
        self.plan = plan
        self.producer = producer
        self.worker = worker
        self.stopping = threading.Event()
        self.tracker = ModelTracker(plan.model, plan.version, worker, self._changed)
        self.summary = RecordSummary(self.tracker)
        self._logged = ModelState.LOADING
        self._thread = threading.Thread(target=self._run, name=f"records-{plan.key}", daemon=True)

    def start(self) -> None:
        """Begin to load, read and answer."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self.stopping.set()

    def join(self, timeout: float) -> bool:
        """Whether it has ended within ``timeout`` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def report(self) -> None:
        """Publish the state."""
        if not self.stopping.is_set():
            status = self.tracker.status()
            self.producer.send(topics.status(), status.to_json(), key=status.key)

    def tell_history(self) -> None:
        """Publish what was done since the last time."""
        self.producer.send(topics.model_history(self.plan.model, self.plan.version), self.summary.take().to_json(), key=self.worker)

    def _changed(self, status: ModelStatus) -> None:
        if status.state is not self._logged:
            self._logged = status.state
            level = logging.WARNING if status.state is ModelState.FAILING else logging.INFO
            log.log(level, "model %s model=%s detail=%s", status.state, self.plan.key, status.detail)
        self.report()

    def _run(self) -> None:
        """Again, after a while, when something unforeseen ends it."""
        backoff = Backoff()
        while not self.stopping.is_set():
            try:
                self._serve()
            except KafkaUnavailable as err:
                log.warning("records wait for kafka model=%s reason=%s", self.plan.key, err)
                self.stopping.wait(backoff.next())
            except Exception as err:
                log.exception("record lane failed unexpectedly model=%s", self.plan.key)
                self.tracker.unloadable(redact_url(f"{type(err).__name__}: {err}"))
                self.stopping.wait(backoff.next())

    def _serve(self) -> None:
        answers = Answers(self.plan, self.stopping)
        try:
            if not self._load(answers):
                return
            stream = RecordStream(self.plan, answers, self.tracker, self.stopping, self.worker)
            try:
                stream.open()
                while not self.stopping.is_set():
                    stream.step()
            finally:
                stream.close()
        finally:
            answers.close()

    def _load(self, answers: Answers) -> bool:
        """Load the model, tried for ever, because what it lacks may come. False when the lane is stopped before."""
        backoff = Backoff()
        while not self.stopping.is_set():
            self.tracker.loading()
            reason = self.plan.objection or _reason_against(answers)
            if not reason:
                self.tracker.loaded()
                return True
            self.tracker.unloadable(redact_url(reason))
            self.stopping.wait(backoff.next())
        return False


def _reason_against(answers: Answers) -> str:
    """Load; why that fails, or ""."""
    try:
        answers.load()
    except InferenceError as err:
        return str(err)
    except (Exception, SystemExit) as err:
        log.debug("model does not load model=%s", answers.plan.key, exc_info=True)
        return f"The model does not load. {type(err).__name__}: {err}"
    return ""


class RecordsWorker(Worker):
    """Follows the deployments of the kind records in the database. Several of these workers share each model version's partitions."""

    role = "records"

    def __init__(self) -> None:
        super().__init__()
        self.lanes: dict[str, RecordLane] = {}
        self.ending: list[RecordLane] = []
        self.interval = Interval()

    def step(self) -> None:
        close_old_connections()
        try:
            plans = record_plans()
        except DatabaseError as err:
            log.warning("database unavailable, models go on as they are error=%s", err)
        else:
            self.follow(plans)
        for lane in self.lanes.values():
            lane.report()
        if self.interval.over():
            for lane in self.lanes.values():
                lane.tell_history()
        self.stopping.wait(RECONCILE_SECONDS)

    def follow(self, plans: dict[str, RecordPlan]) -> None:
        """Make the running lanes those that should run."""
        for key, lane in list(self.lanes.items()):
            if plans.get(key) != lane.plan:
                self._end(key)
                if key not in plans:
                    self.producer.send(topics.status(), None, key=model_key(lane.plan.model, lane.plan.version))
        self.ending = [lane for lane in self.ending if not lane.join(0)]
        ending = {lane.plan.key for lane in self.ending}
        for key, plan in plans.items():
            if key not in self.lanes and key not in ending:
                self._start(plan)

    def _start(self, plan: RecordPlan) -> None:
        lane = self.lanes[plan.key] = RecordLane(plan, self.producer, self.name)
        lane.start()
        log.info("record lane started model=%s exactly_once=%s", plan.key, plan.exactly_once)

    def _end(self, key: str) -> None:
        lane = self.lanes.pop(key)
        lane.stop()
        lane.tell_history()
        self.ending.append(lane)
        log.info("record lane stopping model=%s", key)

    def close(self) -> None:
        for key in list(self.lanes):
            self._end(key)
        deadline = time.monotonic() + STOP_SECONDS
        for lane in self.ending:
            lane.join(max(0.0, deadline - time.monotonic()))

    def counters(self) -> dict[str, int]:
        lanes = self.lanes.values()
        return {
            "models": len(lanes),
            "predicted": sum(lane.tracker.predicted for lane in lanes),
            "failed": sum(lane.tracker.failed for lane in lanes),
            "errors": sum(lane.tracker.errors for lane in lanes),
        }
