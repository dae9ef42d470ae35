"""One model version between its topics: reads inputs, asks the model, sends outputs and dead letters."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from django.conf import settings

from cameras.secrets import redact_url
from inference.letters import dead_letter
from inference.record_answers import Answer, Answers, Failure, Stopped
from inference.record_delivery import Delivery, Every, ExactlyOnce, Headers
from inference.record_plans import RecordPlan
from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.schemas import RecordError
from inference.tracker import ModelTracker
from sightline import topics
from sightline.backoff import Backoff
from sightline.kafka import Admin, Consumer, KafkaUnavailable, NotCommitted, Outbox, Partition, Record

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
ROUND_SECONDS: Final = 0.2
TOPICS_SECONDS: Final = 30.0
MOST_READ: Final = 1000
RETRY_FIRST_SECONDS: Final = 0.25
RETRY_MOST_SECONDS: Final = 10.0
MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
# A model may be slow, and Kafka may be away for a while, before the group takes this worker for dead.
MOST_SECONDS_BETWEEN_POLLS: Final = 600
RECORD_OVERHEAD: Final = 1024
PREFIX: Final = "dlt-"
ATTEMPT: Final = "dlt-delivery-attempt"


class RecordStream:
    """Reads the inputs of one model version as a member of its group. ``open``, ``step`` again and again, ``close``; for one thread."""

    def __init__(self, plan: RecordPlan, answers: Answers, tracker: ModelTracker, stopping: threading.Event, worker: str) -> None:
        self.plan = plan
        self.answers = answers
        self.tracker = tracker
        self.stopping = stopping
        self.group = topics.records_group(plan.model, plan.version)
        self.inputs, self.outputs, self.errors = topics.record_topics(plan.model, plan.version, plan.partitions)
        self.consumer = Consumer(self.group, **{"auto.offset.reset": "earliest", "max.poll.interval.ms": MOST_SECONDS_BETWEEN_POLLS * 1000})
        self.exactly_once = plan.exactly_once and not settings.KAFKA_EMBEDDED
        self.outbox = Outbox(f"{self.group}.{worker}" if self.exactly_once else "")
        kind = ExactlyOnce if self.exactly_once else Every
        self.delivery: Delivery = kind(self.consumer, self.outbox, stopping)
        self.admin = Admin()
        self.owned: set[Partition] = set()
        self.waiting: list[Record] = []
        self.waiting_bytes = 0
        self.output_partitions = 1
        self._good = 0
        self._call_seconds = 0.0
        self._paused = False
        self._topics_due = 0.0
        self._backoff = Backoff(RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS)

    def open(self) -> None:
        """Join the group. It begins with the oldest record: what was sent before the first start is not lost."""
        if self.plan.exactly_once and not self.exactly_once:
            log.warning("the embedded broker keeps no transactions, records are delivered as with “every” model=%s", self.plan.key)
        self._ensure_topics()
        self.consumer.subscribe([self.inputs], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def step(self, timeout: float = POLL_SECONDS) -> None:
        """One round: read what is there, answer for a while, and see to it that the answers arrive."""
        if time.monotonic() >= self._topics_due:
            self._ensure_topics()
        try:
            self._read(timeout)
            away = self._round()
            self.delivery.settle()
        except (KafkaUnavailable, NotCommitted) as err:
            self._begin_again(err)
            return
        if away is not None:
            self._wait_for_server(away)

    def close(self) -> None:
        """Store what is done and leave the group."""
        try:
            self.delivery.finish()
        except (KafkaUnavailable, NotCommitted) as err:
            log.warning("records not settled at the end, they are read again model=%s reason=%s", self.plan.key, err)
        finally:
            self.consumer.close()
            self.outbox.close(0)

    # Reading

    def _read(self, timeout: float) -> None:
        """Poll in any case, which keeps the membership of the group; take little while much is waiting."""
        room = MOST_READ - len(self.waiting) if self.waiting_bytes < MOST_WAITING_BYTES else 1
        self._take(self.consumer.read(max(1, room), 0 if self.waiting else timeout))

    def _take(self, records: Iterable[Record]) -> None:
        for record in records:
            partition = record.topic, record.partition
            if partition in self.owned:
                self.waiting.append(record)
                self.waiting_bytes += len(record.value or b"")
                if partition not in self.delivery.answered:
                    self.delivery.answered[partition] = record.offset

    def _drop(self, partitions: Iterable[Partition]) -> None:
        gone = set(partitions)
        self.owned -= gone
        self.waiting = [record for record in self.waiting if (record.topic, record.partition) not in gone]
        self.waiting_bytes = sum(len(record.value or b"") for record in self.waiting)

    # Who reads what

    def _assigned(self, partitions: Sequence[Partition]) -> None:
        self.owned.update(partitions)
        # A partition that was lost while it was paused comes back paused.
        (self.consumer.pause if self._paused else self.consumer.resume)(partitions)

    def _revoked(self, partitions: Sequence[Partition]) -> None:
        self.delivery.give_up(partitions, lost=False)
        self._drop(partitions)

    def _lost(self, partitions: Sequence[Partition]) -> None:
        self.delivery.give_up(partitions, lost=True)
        self._drop(partitions)

    # Answering

    def _round(self) -> ServerUnavailable | None:
        """Answer what is waiting, for ROUND_SECONDS or one call of the model, whichever is longer. The error when its server is away."""
        until = time.monotonic() + ROUND_SECONDS
        done = 0
        away = None
        try:
            while done < len(self.waiting) and not self.stopping.is_set() and (not done or time.monotonic() < until):
                batch = self.waiting[done : done + self.answers.most]
                started = time.perf_counter()
                answers = self.answers.ask(batch)
                self._call_seconds = time.perf_counter() - started
                self._put(batch, answers)
                done += len(batch)
        except ServerUnavailable as err:
            away = err
        except Stopped:
            log.info("stopped while a record is tried again, the next worker takes it up model=%s", self.plan.key)
        self._tell_good()
        self._forget_waiting(done)
        if done:
            self._backoff.reset()
        return away

    def _tell_good(self) -> None:
        if self._good:
            self.tracker.predict(self._good, self._call_seconds)
        self._good = 0

    def _forget_waiting(self, count: int) -> None:
        self.waiting = self.waiting[count:]
        self.waiting_bytes = sum(len(record.value or b"") for record in self.waiting)

    def _put(self, batch: Sequence[Record], answers: Sequence[Answer]) -> None:
        """Send the answers. They keep the input's key, headers and partition, and so its order."""
        for record, answer in zip(batch, answers, strict=True):
            headers: Headers = record.headers
            if headers and any(name.startswith(PREFIX) for name, _ in headers):
                headers = [(name, value) for name, value in headers if not name.startswith(PREFIX)]  # of an earlier failure
            if isinstance(answer, bytes) and not self._fits(record, answer, headers):
                answer = Failure(_too_large(answer))
            if isinstance(answer, Failure):
                self._dead_letter(record, answer, headers)
            else:
                self.delivery.put(record, self.outputs.name, record.partition % self.output_partitions, answer, headers)
                self._good += 1

    def _fits(self, record: Record, answer: bytes, headers: Headers) -> bool:
        # What is no larger than its input fits as that did.
        return len(answer) <= len(record.value or b"") or len(answer) + _size(record.key, headers) <= settings.KAFKA_MAX_MESSAGE_BYTES

    def _dead_letter(self, record: Record, failure: Failure, headers: Headers) -> None:
        attempt = _attempts(record) + failure.attempt - 1
        letter = dead_letter(record, failure.error, group=self.group, model=self.plan.model, version=self.plan.version, attempt=attempt)
        self._tell_good()
        self.tracker.fail(letter.message or letter.error, says_nothing=isinstance(failure.error, RecordError))
        log.debug("record failed model=%s partition=%s offset=%s error=%s", self.plan.key, record.partition, record.offset, letter.message)
        headers = [*headers, *letter.headers().items()]
        limit = settings.KAFKA_MAX_MESSAGE_BYTES + topics.HEADER_ROOM
        # A topic that was made by hand may take larger records than ours: the letter then says where the record is.
        value = record.value if len(record.value or b"") + _size(record.key, headers) <= limit else None
        self.delivery.put(record, self.errors.name, 0, value, headers)

    # Trouble

    def _wait_for_server(self, err: ServerUnavailable) -> None:
        """Try again later, for ever: it is not the records' fault. Polling meanwhile keeps the partitions with this worker."""
        self.tracker.unavailable(0, redact_url(str(err)))
        self._pause(max(self._backoff.next(), err.retry_after))

    def _begin_again(self, err: Exception) -> None:
        """Nothing of the last rounds counts: read it again, a little later."""
        log.warning("records are read again model=%s reason=%s", self.plan.key, err)
        self.tracker.unavailable(0, f"Kafka does not take the results: {err}")
        self.waiting, self.waiting_bytes = [], 0
        for partition, offset in self.delivery.rewind().items():
            if partition in self.owned:
                self.consumer.seek(partition, offset)
        self._topics_due = 0.0
        self._pause(self._backoff.next())

    def _pause(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        self._paused = True
        self.consumer.pause(self.owned)
        while (left := due - time.monotonic()) > 0 and not self.stopping.is_set():
            self._take(self.consumer.read(1, min(left, POLL_SECONDS)))
        self._paused = False
        self.consumer.resume(self.owned)

    def _ensure_topics(self) -> None:
        self._topics_due = time.monotonic() + TOPICS_SECONDS
        self.admin.forget()
        try:
            history = topics.model_history(self.plan.model, self.plan.version)
            self.admin.ensure((topics.status(), history, self.inputs, self.outputs, self.errors))
            self.output_partitions = self.admin.partitions().get(self.outputs.name, self.plan.partitions)
        except KafkaUnavailable as err:
            log.warning("topics not created model=%s detail=%s", self.plan.key, err)


def _attempts(record: Record) -> int:
    """Which attempt this is for a record that was retried."""
    text = dict(record.headers).get(ATTEMPT, b"1")
    return int(text) if text.isdigit() and len(text) < 10 else 1


def _size(key: bytes | None, headers: Iterable[tuple[str, bytes]]) -> int:
    return len(key or b"") + sum(len(name) + len(value) + 10 for name, value in headers) + RECORD_OVERHEAD


def _too_large(answer: bytes) -> InferenceError:
    limit = settings.KAFKA_MAX_MESSAGE_BYTES
    return InferenceError(f"The model's result has {len(answer)} bytes; Kafka takes {limit} (KAFKA_MAX_MESSAGE_BYTES).", permanent=True)
