"""Where the result of each record goes: to the outputs, or as a dead letter to the errors."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.conf import settings

from inference.plans import RecordPlan
from inference.runner.dead_letter import (
    HEADER_OVERHEAD,
    RECORD_OVERHEAD,
    dead_letter,
    headers_size,
    outgoing_dead_letter,
)
from inference.runner.state import RunnerState
from inference.runtimes.errors import InferenceError
from inference.streams.codec.schema import RecordError
from inference.streams.delivery import RecordDelivery
from inference.streams.predict import RecordFailure, RecordResult
from inference.streams.record_topics import RecordTopics
from sightline.kafka import UNREADABLE_HEADERS, Headers, Outgoing, Record, topics
from sightline.messages.dead_letter import PREFIX, attempt_of, own_headers

log = logging.getLogger(__name__)

_UNREADABLE = RecordError(
    "The record's headers cannot be read: the name of one is not UTF-8. They are not kept."
)


class RecordPublisher:
    """Produces results and dead letters, and counts them."""

    def __init__(
        self,
        plan: RecordPlan,
        record_topics: RecordTopics,
        delivery: RecordDelivery,
        state: RunnerState,
    ) -> None:
        self.plan = plan
        self.topics = record_topics
        self.delivery = delivery
        self.state = state
        self._predicted = 0
        self._call_seconds = 0.0

    def publish(
        self, batch: Sequence[Record], results: Sequence[RecordResult], call_seconds: float
    ) -> None:
        """Produce the results of one call of the model. Each keeps its input's key, headers and
        partition, and so its order.
        """
        self._call_seconds = call_seconds
        outputs, partitions, limit = (
            self.topics.outputs.name,
            self.topics.output_partitions,
            settings.KAFKA_MAX_MESSAGE_BYTES,
        )
        outgoing: list[Outgoing] = []
        for record, result in zip(batch, results, strict=True):
            headers, size = _kept_headers(record)
            if record.headers and record.headers[0][0] == UNREADABLE_HEADERS:
                result = RecordFailure(_UNREADABLE)
            if isinstance(result, bytes):
                if size + len(result) <= limit:
                    outgoing.append(
                        (outputs, result, record.key, headers, record.partition % partitions)
                    )
                    self._predicted += 1
                    continue
                result = RecordFailure(_too_large(size + len(result), limit))
            outgoing.append(self._dead_letter(record, result))
        self.delivery.produce(outgoing, batch)

    def count(self) -> None:
        """Tell the state of the results since the last time."""
        if self._predicted:
            self.state.add_predicted(self._predicted, self._call_seconds)
        self._predicted = 0

    def _dead_letter(self, record: Record, failure: RecordFailure) -> Outgoing:
        """The record as it came, and why it has no result."""
        letter = dead_letter(
            record,
            failure.error,
            group=topics.records_group(self.plan.model, self.plan.version),
            plan=self.plan,
            attempt=attempt_of(record.header_map) + failure.attempt - 1,
        )
        self.count()
        self.state.add_failed(
            letter.message or letter.error, inputs_fault=isinstance(failure.error, RecordError)
        )
        log.debug(
            "record failed model=%s partition=%s offset=%s error=%s",
            self.plan.key,
            record.partition,
            record.offset,
            letter.message,
        )
        return outgoing_dead_letter(record, letter)


def _kept_headers(record: Record) -> tuple[Headers, int]:
    """The headers that a result keeps, and the most bytes that Kafka counts beside the value."""
    headers: Headers = record.headers
    size = 0
    # A plain loop: this runs for every record, and generators take three times as long.
    for name, value in headers:
        if name.startswith(PREFIX):
            headers = own_headers(headers)
            size = headers_size(headers)
            break
        size += len(name) + len(value or b"") + HEADER_OVERHEAD
    return headers, RECORD_OVERHEAD + len(record.key or b"") + size


def _too_large(size: int, limit: int) -> InferenceError:
    return InferenceError(
        f"The answer has {size} bytes with its key and headers; Kafka takes {limit}"
        " (KAFKA_MAX_MESSAGE_BYTES).",
        permanent=True,
    )
