"""Jobs that retry many dead letters."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Final

from celery.signals import worker_shutting_down

from inference.deadletters.attempts import newest_attempts
from inference.deadletters.letters import Letter, Offset, errors_topic
from inference.deadletters.retry import Retrier
from inference.models import ModelVersion
from sightline.jobs.app import app
from sightline.kafka import KafkaUnavailable
from sightline.kafka.reader import TopicReader

log = logging.getLogger(__name__)

# After this a job queues another one for the rest, so that none reaches the time limit.
JOB_SECONDS: Final = 45.0

# Partitions and offsets, as JSON has them.
Pairs = Sequence[Sequence[int]]

# Set when the process shuts down: another job retries the rest, elsewhere or after the restart.
_ending = threading.Event()


@worker_shutting_down.connect
def end_jobs(**_: object) -> None:
    """End running jobs early: they may take longer than a process has to shut down."""
    _ending.set()


@app.task(name="inference.tasks.retry_places")
def retry_selected(source_pk: int, target_pk: int, by: int | None, offsets: Pairs) -> None:
    """Retry the letters of a model version at these offsets, whether or not they were retried
    before.
    """
    versions = _versions(source_pk, target_pk)
    if versions is None:
        return
    rest = iter(offsets)
    with TopicReader(errors_topic(versions[0])) as reader:
        records = (reader.at(partition, offset) for partition, offset in rest)
        letters = (Letter.of(record) for record in records if record is not None)
        last = _retry(Retrier(*versions, by), letters, again=True)
    if last is not None and (left := list(rest)):
        retry_selected.delay(source_pk, target_pk, by, left)


@app.task(name="inference.tasks.retry_group")
def retry_group(
    source_pk: int, target_pk: int, by: int | None, group: str, start: Pairs, end: Pairs
) -> None:
    """Retry the inputs of a group between two offsets of each partition that were not yet retried
    with success, each by its newest attempt.
    """
    versions = _versions(source_pk, target_pk)
    if versions is None:
        return
    first, until = _cursor(start), _cursor(end)
    with TopicReader(errors_topic(versions[0])) as reader:
        newest = newest_attempts(reader, first, until)
        letters = (letter for letter in newest if letter.group == group)
        last = _retry(Retrier(*versions, by), letters, again=False)
    if last is not None:
        retry_group.delay(source_pk, target_pk, by, group, _after(last, first, until), end)


def _versions(source_pk: int, target_pk: int) -> tuple[ModelVersion, ModelVersion] | None:
    """The version that has the letters, and the one to retry against; None if either was
    deleted.
    """
    versions = ModelVersion.objects.select_related("model").in_bulk([source_pk, target_pk])
    if {source_pk, target_pk} <= versions.keys():
        return versions[source_pk], versions[target_pk]
    log.info(
        "dead letters not retried: the model version was deleted version=%s target=%s",
        source_pk,
        target_pk,
    )
    return None


def _retry(retrier: Retrier, letters: Iterable[Letter], *, again: bool) -> Offset | None:
    """Retry letters for JOB_SECONDS; returns the last offset if there may be more to do."""
    deadline = time.monotonic() + JOB_SECONDS
    tried = failed = 0
    last = None
    try:
        with retrier:
            for letter, outcome in retrier.retry_each(letters, again=again):
                tried, failed = tried + 1, failed + (not outcome.succeeded)
                if _ending.is_set() or time.monotonic() > deadline:
                    last = letter.offset
                    break
    except KafkaUnavailable as err:
        log.warning("retry of dead letters ended early model=%s detail=%s", retrier.source, err)
    log.info(
        "dead letters retried model=%s against=%s tried=%s failed=%s",
        retrier.source,
        retrier.target,
        tried,
        failed,
    )
    return last


def _cursor(pairs: Pairs) -> dict[int, int]:
    return {pair[0]: pair[1] for pair in pairs}


def _after(last: Offset, start: dict[int, int], end: dict[int, int]) -> list[tuple[int, int]]:
    """Where to continue after ``last``: partitions are read one after the other."""
    done = {partition: offset for partition, offset in end.items() if partition < last.partition}
    return list({**start, **done, last.partition: last.offset + 1}.items())
