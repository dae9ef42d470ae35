"""One model version between its topics: reads inputs, asks the model, sends outputs and dead
letters.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from django.conf import settings

from cameras.sources.credentials import redact_url
from inference.record_plans import RecordPlan
from inference.runner.dead_letter import dead_letter
from inference.runner.state import ModelTracker
from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.streams.codec.schema import RecordError
from inference.streams.delivery import Delivery, Every, ExactlyOnce
from inference.streams.predict import (
    Answer,
    Answers,
    Failure,
    Stopped,
)
from sightline.base.backoff import Backoff
from sightline.base.process import settle
from sightline.kafka import (
    Admin,
    Consumer,
    Headers,
    KafkaUnavailable,
    NotCommitted,
    Outgoing,
    Partition,
    Record,
    ReliableProducer,
    topics,
)

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
ROUND_SECONDS: Final = 0.2
TOPICS_SECONDS: Final = 30.0
LAG_SECONDS: Final = 2.0
MAX_READ: Final = 2000
RETRY_FIRST_SECONDS: Final = 0.25
RETRY_MOST_SECONDS: Final = 10.0
REFUSED_FIRST_SECONDS: Final = 1.0
# What Kafka has not acknowledged by then is trouble, and nothing more is sent after it.
LATE_SECONDS: Final = 5.0
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
# A model may be slow, and Kafka may be away for a while, before the group takes this worker for
# dead.
MAX_SECONDS_BETWEEN_POLLS: Final = 600
# What Kafka's format (v2) takes around a record that is alone in its batch, and around each of its
# headers, at most.
RECORD_OVERHEAD: Final = 100
HEADER_OVERHEAD: Final = 10
PREFIX: Final = "dlt-"
ATTEMPT: Final = "dlt-delivery-attempt"


class RecordStream:
    """Reads the inputs of one model version as a member of its group. ``open``, ``step`` again
    and again, ``close``; for one thread.
    """

    def __init__(
        self,
        plan: RecordPlan,
        answers: Answers,
        tracker: ModelTracker,
        stopping: threading.Event,
        worker: str,
    ) -> None:
        self.plan = plan
        self.answers = answers
        self.tracker = tracker
        self.stopping = stopping
        self.group = topics.records_group(plan.model, plan.version)
        self.inputs, self.outputs, self.errors = topics.record_topics(
            plan.model, plan.version, plan.partitions
        )
        self.consumer = Consumer(
            self.group,
            **{
                "auto.offset.reset": "earliest",
                "max.poll.interval.ms": MAX_SECONDS_BETWEEN_POLLS * 1000,
            },
        )
        self.exactly_once = plan.exactly_once and not settings.KAFKA_EMBEDDED
        if plan.exactly_once and not self.exactly_once:
            log.warning(
                "the embedded broker keeps no transactions, records are delivered as with “every”"
                " model=%s",
                plan.key,
            )
        self.outbox = ReliableProducer(f"{self.group}.{worker}" if self.exactly_once else "")
        kind = ExactlyOnce if self.exactly_once else Every
        self.delivery: Delivery = kind(self.consumer, self.outbox, stopping)
        self.admin = Admin()
        self.owned: set[Partition] = set()
        self.waiting: list[Record] = []
        self.output_partitions = 1
        self._good = 0
        self._call_seconds = 0.0
        self._paused = self._late = False
        self._topics_due = 0.0
        self._backoff = Backoff(RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS)
        self._refusals = Backoff(REFUSED_FIRST_SECONDS, RETRY_MOST_SECONDS)
        self._refused_at: dict[Partition, int] = {}

    def open(self) -> None:
        """Join the group. It begins with the oldest record: what was sent before the first start
        is not lost.
        """
        self._ensure_topics()
        # To look through what stays for garbage again and again, because of the records, would take
        # a fifth of the time.
        settle()
        self.consumer.subscribe(
            [self.inputs], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def step(self, timeout: float = POLL_SECONDS) -> None:
        """One round: read what is there, answer for a while, and see to it that the answers
        arrive.
        """
        if time.monotonic() >= self._topics_due:
            self._ensure_topics()
        try:
            if self._is_late():
                return
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
            log.warning(
                "records not settled at the end, they are read again model=%s reason=%s",
                self.plan.key,
                err,
            )
        finally:
            self.consumer.close()
            self.outbox.close(0)
            settle()

    def lag(self) -> int | None:
        """How many records of its partitions are not answered yet, by what the broker says now;
        None when it does not. For any thread.
        """
        owned = set(self.owned)
        try:
            ranges = self.admin.offsets(owned, LAG_SECONDS)
            begun = owned - self.delivery.answered.keys()
            stored = self.admin.committed(self.group, begun, LAG_SECONDS) if begun else {}
        except KafkaUnavailable:
            return None
        done = stored | self.delivery.answered
        return sum(
            max(0, end - max(begin, done.get(partition, begin)))
            for partition, (begin, end) in ranges.items()
        )

    # Reading

    def _read(self, timeout: float) -> None:
        """Poll in any case, which keeps the membership of the group; take little while much is
        waiting.
        """
        waiting_bytes = sum(len(record.value or b"") for record in self.waiting)
        room = MAX_READ - len(self.waiting) if waiting_bytes < MAX_WAITING_BYTES else 1
        self._take(self.consumer.read(max(1, room), 0 if self.waiting else timeout))

    def _take(self, records: Sequence[Record]) -> None:
        first = {(record.topic, record.partition): record.offset for record in reversed(records)}
        if first.keys() - self.owned:
            records = [
                record for record in records if (record.topic, record.partition) in self.owned
            ]
        self.waiting += records
        for partition in first.keys() & self.owned:
            self.delivery.answered.setdefault(partition, first[partition])

    def _drop(self, partitions: Iterable[Partition]) -> None:
        gone = set(partitions)
        self.owned -= gone
        self.waiting = [
            record for record in self.waiting if (record.topic, record.partition) not in gone
        ]

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
        """Answer what is waiting, for ROUND_SECONDS or one call of the model, whichever is
        longer. The error when its server is away.
        """
        until = time.monotonic() + ROUND_SECONDS
        done = 0
        away = None
        try:
            while (
                done < len(self.waiting)
                and not self.stopping.is_set()
                and (not done or time.monotonic() < until)
            ):
                batch = self.waiting[done : done + self.answers.most]
                started = time.perf_counter()
                answers = self.answers.ask(batch)
                self._call_seconds = time.perf_counter() - started
                self._put(batch, answers)
                done += len(batch)
        except ServerUnavailable as err:
            away = err
        except Stopped:
            log.info(
                "stopped while a record is tried again, the next worker takes it up model=%s",
                self.plan.key,
            )
        self._tell_good()
        self.waiting = self.waiting[done:]
        if done:
            self._backoff.reset()
        return away

    def _tell_good(self) -> None:
        if self._good:
            self.tracker.predict(self._good, self._call_seconds)
        self._good = 0

    def _put(self, batch: Sequence[Record], answers: Sequence[Answer]) -> None:
        """Send the answers. They keep the input's key, headers and partition, and so its order."""
        outputs, partitions, limit = (
            self.outputs.name,
            self.output_partitions,
            settings.KAFKA_MAX_MESSAGE_BYTES,
        )
        outgoing: list[Outgoing] = []
        for record, answer in zip(batch, answers, strict=True):
            headers, size = _carried(record)
            if isinstance(answer, bytes):
                if size + len(answer) <= limit:
                    outgoing.append(
                        (outputs, answer, record.key, headers, record.partition % partitions)
                    )
                    self._good += 1
                    continue
                answer = Failure(_too_large(size + len(answer)))
            outgoing.append(self._dead_letter(record, answer, headers))
        self.delivery.put(outgoing, batch)

    def _dead_letter(self, record: Record, failure: Failure, headers: Headers) -> Outgoing:
        """The record as it came, and why it has no answer."""
        attempt = _attempts(record) + failure.attempt - 1
        letter = dead_letter(
            record,
            failure.error,
            group=self.group,
            model=self.plan.model,
            version=self.plan.version,
            attempt=attempt,
        )
        self._tell_good()
        self.tracker.fail(
            letter.message or letter.error, says_nothing=isinstance(failure.error, RecordError)
        )
        log.debug(
            "record failed model=%s partition=%s offset=%s error=%s",
            self.plan.key,
            record.partition,
            record.offset,
            letter.message,
        )
        reasons = tuple(letter.headers().items())
        key, headers, value = _within(
            settings.KAFKA_MAX_MESSAGE_BYTES + topics.HEADER_ROOM - _size(reasons), record, headers
        )
        return self.errors.name, value, key, [*headers, *reasons], 0

    # Trouble

    def _wait_for_server(self, err: ServerUnavailable) -> None:
        """Try again later, for ever: it is not the records' fault. Polling meanwhile keeps the
        partitions with this worker.
        """
        self.tracker.unavailable(0, redact_url(str(err)))
        self._pause(max(self._backoff.next(), err.retry_after))

    def _is_late(self) -> bool:
        """Whether Kafka has not acknowledged for long what was sent: then no more is taken up, a
        while is waited, and the state says so.
        """
        late = self.delivery.waits > LATE_SECONDS
        if late:
            names = f"{self.outputs.name} and {self.errors.name}"
            self.tracker.unavailable(
                0,
                f"Kafka does not take the results. Do the brokers work, and are the topics {names}"
                " in order?",
            )
            self._pause(POLL_SECONDS)
            self.delivery.settle()
        elif self._late:
            self.tracker.loaded()
        self._late = late
        return late

    def _begin_again(self, err: Exception) -> None:
        """Nothing of the last rounds counts: read it again, a little later, and less and less
        often while that is of no use.
        """
        log.warning("records are read again model=%s reason=%s", self.plan.key, err)
        self.tracker.unavailable(0, f"Kafka does not take the results: {err}")
        self.tracker.repeated += 1
        self.waiting = []
        for partition, offset in self.delivery.rewind().items():
            if partition in self.owned:
                self.consumer.seek(partition, offset)
        self._topics_due = 0.0
        if self.delivery.answered != self._refused_at:
            self._refusals.reset()
        self._refused_at = dict(self.delivery.answered)
        self._pause(self._refusals.next())

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
            self.output_partitions = self.admin.partitions().get(
                self.outputs.name, self.plan.partitions
            )
        except KafkaUnavailable as err:
            log.warning("topics not created model=%s detail=%s", self.plan.key, err)


def _attempts(record: Record) -> int:
    """Which attempt this is for a record that was retried."""
    text = record.header_map.get(ATTEMPT, b"1")
    return int(text) if text.isdigit() and len(text) < 10 else 1


def _carried(record: Record) -> tuple[Headers, int]:
    """The headers that go on with an answer, without those of an earlier failure; and the bytes
    that Kafka counts beside the value, at most.
    """
    headers: Headers = record.headers
    size = 0
    for name, value in headers:
        if name.startswith(PREFIX):
            headers = [(name, value) for name, value in headers if not name.startswith(PREFIX)]
            size = _size(headers)
            break
        size += len(name) + len(value or b"") + HEADER_OVERHEAD
    return headers, RECORD_OVERHEAD + len(record.key or b"") + size


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value or b"") + HEADER_OVERHEAD for name, value in headers)


def _within(
    limit: int, record: Record, headers: Headers
) -> tuple[bytes | None, Headers, bytes | None]:
    """As much of a record's key, headers and value as fits.

    A topic that was made by hand may take larger records than ours do: the letter about one says
    where the whole record is.
    """
    room = limit - RECORD_OVERHEAD
    key = record.key if len(record.key or b"") <= room else None
    room -= len(key or b"")
    kept = headers if _size(headers) <= room else ()
    room -= _size(kept)
    return key, kept, record.value if len(record.value or b"") <= room else None


def _too_large(size: int) -> InferenceError:
    limit = settings.KAFKA_MAX_MESSAGE_BYTES
    return InferenceError(
        f"The answer has {size} bytes with its key and headers; Kafka takes {limit}"
        " (KAFKA_MAX_MESSAGE_BYTES).",
        permanent=True,
    )
