"""Dead letters of frames and records: why an input failed, and what is sent to the errors topic."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Final

from django.conf import settings

from inference.plans import ModelPlan
from inference.runtimes.guard import ForeignError
from sightline.base.redaction import redact_url
from sightline.kafka import Headers, Outgoing, Producer, Record, topics
from sightline.messages import DeadLetter
from sightline.messages.dead_letter import own_headers

# At most this is added by Kafka's format (v2) to a record alone in its batch, and to each header.
RECORD_OVERHEAD: Final = 100
HEADER_OVERHEAD: Final = 10


def dead_letter(
    record: Record, err: BaseException, *, group: str, plan: ModelPlan, attempt: int = 1
) -> DeadLetter:
    """The dead letter of a record: its origin and the error, without credentials."""
    if isinstance(err, ForeignError) and err.__cause__ is not None:
        err = err.__cause__  # people look for what their code raised
    # Its text is safe, whatever the exception's own __str__ does.
    summary = traceback.TracebackException.from_exception(err)
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        group=group,
        model=plan.model,
        version=plan.version,
        error=f"{type(err).__module__}.{type(err).__qualname__}",
        message=redact_url(str(summary)),
        stacktrace=redact_url("".join(summary.format())),
        attempt=attempt,
    )


def outgoing_dead_letter(record: Record, letter: DeadLetter) -> Outgoing:
    """The record for the errors topic: unchanged, with the ``dlt-*`` headers after its own.

    Key, headers and value that do not fit are left out: a topic that was created by hand may take
    larger records than the errors topic. The headers say where the whole record is.
    """
    reasons = tuple(letter.headers().items())
    room = settings.KAFKA_MAX_MESSAGE_BYTES + topics.HEADER_ROOM
    room -= RECORD_OVERHEAD + headers_size(reasons)
    key = record.key if len(record.key or b"") <= room else None
    room -= len(key or b"")
    headers = own_headers(record.headers)
    if headers_size(headers) > room:
        headers = ()
    room -= headers_size(headers)
    value = record.value if len(record.value or b"") <= room else None
    topic = topics.errors(letter.model, letter.version).name
    return topic, value, key, [*headers, *reasons], 0


def send_dead_letter(
    producer: Producer,
    record: Record,
    letter: DeadLetter,
    on_delivery: Callable[[str], None] | None = None,
) -> bool:
    """Send the record to the errors topic; False when the producer's queue is full.

    ``on_delivery`` as with ``Producer.send``.
    """
    _, value, key, headers, _ = outgoing_dead_letter(record, letter)
    errors = topics.errors(letter.model, letter.version)
    return producer.send(errors, value, key=key, headers=headers, on_delivery=on_delivery)


def headers_size(headers: Headers) -> int:
    """The most bytes that headers take in Kafka's format."""
    return sum(len(name) + len(value or b"") + HEADER_OVERHEAD for name, value in headers)
