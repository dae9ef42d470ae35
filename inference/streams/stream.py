"""One model version between its topics: reads inputs, predicts, publishes outputs and dead
letters.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from django.conf import settings

from inference.plans import RecordPlan
from inference.runner.state import RunnerState
from inference.runtimes.errors import DeadlineExceeded, ServerUnavailable
from inference.streams.delivery import AtLeastOnce, ExactlyOnce, RecordDelivery
from inference.streams.inputs import POLL_SECONDS, RecordInputs
from inference.streams.predict import RecordPredictor, StopRequested
from inference.streams.publisher import RecordPublisher
from inference.streams.record_topics import RecordTopics
from sightline.base.backoff import Backoff
from sightline.base.process import freeze_long_lived
from sightline.base.redaction import redact_url
from sightline.kafka import (
    Admin,
    GroupConsumer,
    KafkaUnavailable,
    NotCommitted,
    Partition,
    Record,
    ReliableProducer,
    topics,
)

log = logging.getLogger(__name__)

ROUND_SECONDS: Final = 0.2
LAG_SECONDS: Final = 2.0
RETRY_FIRST_SECONDS: Final = 0.25
RETRY_MAX_SECONDS: Final = 10.0
REWIND_FIRST_SECONDS: Final = 1.0
# Results that Kafka has not acknowledged by then are trouble: nothing more is produced after them.
OVERDUE_SECONDS: Final = 5.0
# How long a model may be slow, or Kafka away, before the group considers this worker dead.
MAX_SECONDS_BETWEEN_POLLS: Final = 600


class RecordStream:
    """Works through the inputs of one model version as a member of its group. ``open``, ``step``
    again and again, ``close``; for one thread.
    """

    def __init__(
        self,
        plan: RecordPlan,
        predictor: RecordPredictor,
        state: RunnerState,
        stopping: threading.Event,
        worker: str,
    ) -> None:
        self.plan = plan
        self.predictor = predictor
        self.state = state
        self.stopping = stopping
        self.group = topics.records_group(plan.model, plan.version)
        self.admin = Admin()
        self.topics = RecordTopics(plan, self.admin)
        consumer = GroupConsumer(
            self.group,
            **{
                "auto.offset.reset": "earliest",
                "max.poll.interval.ms": MAX_SECONDS_BETWEEN_POLLS * 1000,
            },
        )
        exactly_once = _has_transactions(plan)
        self.producer = ReliableProducer(f"{self.group}.{worker}" if exactly_once else "")
        self.delivery: RecordDelivery = (ExactlyOnce if exactly_once else AtLeastOnce)(
            consumer, self.producer, stopping
        )
        self.inputs = RecordInputs(self.topics.inputs, consumer, self.delivery, stopping)
        self.publisher = RecordPublisher(plan, self.topics, self.delivery, state)
        self._server_backoff = Backoff(RETRY_FIRST_SECONDS, RETRY_MAX_SECONDS)
        self._rewind_backoff = Backoff(REWIND_FIRST_SECONDS, RETRY_MAX_SECONDS)
        self._rewound_to: dict[Partition, int] = {}
        self._overdue = False
        # After a call without an answer, records are asked about one by one: it may be the fault
        # of one of them.
        self._has_suspect = False
        self._asked_instead = 0

    def open(self) -> None:
        """Join the group. It begins with the oldest record, so that what was sent before the first
        start is not lost.
        """
        self.topics.ensure()
        # Freeze long-lived objects: collecting over them for every few records cost a fifth.
        freeze_long_lived()
        self.inputs.subscribe()

    def step(self, timeout: float = POLL_SECONDS) -> None:
        """One round: read what is there, predict for a while, commit what is delivered."""
        self.topics.ensure()
        try:
            if self._is_overdue():
                return
            self.inputs.read(timeout)
            unavailable = self._predict()
            self.delivery.commit()
        except (KafkaUnavailable, NotCommitted) as err:
            self._rewind(err)
            return
        if unavailable is not None:
            # That is not the records' fault: retry them later, forever.
            self.state.add_unavailable(0, redact_url(str(unavailable)))
            self.inputs.pause(max(self._server_backoff.next(), unavailable.retry_after))

    def close(self) -> None:
        """Commit what is done and leave the group."""
        try:
            self.delivery.flush()
        except (KafkaUnavailable, NotCommitted) as err:
            log.warning(
                "records not committed on shutdown, they are read again model=%s reason=%s",
                self.plan.key,
                err,
            )
        finally:
            self.inputs.consumer.close()
            self.producer.close(0)
            freeze_long_lived()

    def lag(self) -> int | None:
        """How many records of its partitions have no result yet; None when the broker does not
        say. For any thread.
        """
        owned = set(self.inputs.owned)
        try:
            ranges = self.admin.offsets(owned, LAG_SECONDS)
            unread = owned - self.delivery.offsets.keys()
            committed = self.admin.committed(self.group, unread, LAG_SECONDS) if unread else {}
        except KafkaUnavailable:
            return None
        reached = committed | self.delivery.offsets
        return sum(
            max(0, end - max(begin, reached.get(partition, begin)))
            for partition, (begin, end) in ranges.items()
        )

    def _predict(self) -> ServerUnavailable | None:
        """Predict and publish what waits, for ROUND_SECONDS or one call of the model, whichever
        is longer. Returns the error when the model's server is away.
        """
        until = time.monotonic() + ROUND_SECONDS
        waiting = self.inputs.waiting
        done = 0
        unavailable = None
        try:
            while (
                done < len(waiting)
                and not self.stopping.is_set()
                and (not done or time.monotonic() < until)
            ):
                if self._settled_late(waiting[done:]):
                    done += 1
                    continue
                size = 1 if self._has_suspect else self.predictor.batch_size
                batch = waiting[done : done + size]
                started = time.perf_counter()
                with self.state.call():
                    results = self.predictor.predict(batch)
                self.publisher.publish(batch, results, time.perf_counter() - started)
                done += len(batch)
                self._has_suspect = False
        except ServerUnavailable as err:
            unavailable = err
            self._has_suspect = True
        except StopRequested:
            log.info(
                "stopped between two attempts, the next worker takes the record model=%s",
                self.plan.key,
            )
        self.publisher.count()
        self.inputs.waiting = waiting[done:]
        if done:
            self._server_backoff.reset()
        return unavailable

    def _settled_late(self, waiting: Sequence[Record]) -> bool:
        """Whether the first record, which has always been late, has its answer now or became a dead
        letter: the latter only if it is late once more while the server answers about another one.
        A server that hangs answers about none: then all of them wait.
        """
        if len(waiting) < 2 or not self.predictor.is_always_late(waiting[0]):
            return False
        self._asked_instead += 1
        other = waiting[1 + self._asked_instead % (len(waiting) - 1)]
        started = time.perf_counter()
        with self.state.call():
            # Asked about again in its turn: its answer must not come before those in front of it.
            self.predictor.predict([other])
            try:
                results = self.predictor.predict(waiting[:1])
            except DeadlineExceeded:
                results = [self.predictor.give_up(waiting[0])]
        self.publisher.publish(waiting[:1], results, time.perf_counter() - started)
        return True

    def _is_overdue(self) -> bool:
        """Whether Kafka is slow to acknowledge results. If so, say so in the state and wait a
        while instead of producing more.
        """
        overdue = self.delivery.pending_seconds > OVERDUE_SECONDS
        if overdue:
            names = f"{self.topics.outputs.name} and {self.topics.errors.name}"
            self.state.add_unavailable(
                0,
                f"Kafka does not take the results. Do the brokers work, and are the topics {names}"
                " in order?",
            )
            self.inputs.pause(POLL_SECONDS)
            self.delivery.commit()
        elif self._overdue:
            self.state.loaded()
        self._overdue = overdue
        return overdue

    def _rewind(self, err: Exception) -> None:
        """Read the records of the failed rounds again, later and later while no progress is
        made.
        """
        log.warning("records are read again model=%s reason=%s", self.plan.key, err)
        self.state.add_unavailable(0, f"Kafka does not take the results: {err}")
        self.state.repeated += 1
        self.inputs.rewind()
        self.topics.expire()
        if self.delivery.offsets != self._rewound_to:
            self._rewind_backoff.reset()
        self._rewound_to = dict(self.delivery.offsets)
        self.inputs.pause(self._rewind_backoff.next())


def _has_transactions(plan: RecordPlan) -> bool:
    if plan.exactly_once and settings.KAFKA_EMBEDDED:
        log.warning(
            "the embedded broker keeps no transactions, records are delivered as with “every”"
            " model=%s",
            plan.key,
        )
        return False
    return plan.exactly_once
