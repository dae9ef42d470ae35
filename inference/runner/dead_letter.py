"""What could not be processed goes to the model version's errors topic: the record as it came,
and why.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

from cameras.sources.credentials import redact_url
from sightline.kafka import Producer, Record, topics
from sightline.messages import DeadLetter


def dead_letter(
    record: Record, err: BaseException, *, group: str, model: str, version: str, attempt: int = 1
) -> DeadLetter:
    """Where the record came from and what went wrong, without credentials."""
    summary = traceback.TracebackException.from_exception(
        err
    )  # whose text is safe, whatever the exception's own __str__ does
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        group=group,
        model=model,
        version=version,
        error=f"{type(err).__module__}.{type(err).__qualname__}",
        message=redact_url(str(summary)),
        stacktrace=redact_url("".join(summary.format())),
        attempt=attempt,
    )


def send_dead_letter(
    producer: Producer,
    record: Record,
    letter: DeadLetter,
    on_delivery: Callable[[str], None] | None = None,
) -> bool:
    """Put the record into the errors topic: key and value unchanged, the ``dlt-*`` headers after
    its own. False when Kafka takes no more.

    ``on_delivery`` as with ``Producer.send``.
    """
    headers = [*record.headers, *letter.headers().items()]
    return producer.send(
        topics.errors(letter.model, letter.version),
        record.value,
        key=record.key,
        headers=headers,
        on_delivery=on_delivery,
    )
