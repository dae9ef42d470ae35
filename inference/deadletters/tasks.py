"""Jobs: retrying many dead letters."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import closing

from celery.signals import worker_shutting_down

from inference.deadletters.attempts import newest_attempts
from inference.deadletters.letters import Letter, Offset
from inference.deadletters.reader import TopicReader
from inference.deadletters.retry import retry_each
from inference.models import ModelVersion
from sightline.jobs.app import app
from sightline.kafka import KafkaUnavailable, topics

log = logging.getLogger(__name__)

# A job goes on in a new one after this, so that none is as long as its time limit.
JOB_SECONDS = 45.0

# Partitions and offsets, as JSON has them.
Pairs = Sequence[Sequence[int]]

# Set once the process is asked to end: what is left of a job goes on in a new one, elsewhere or
# after the restart.
_ending = threading.Event()


@worker_shutting_down.connect
def give_back(**_: object) -> None:
    """A job may last longer than a process is given to end."""
    _ending.set()


@app.task(name="inference.tasks.retry_places")
def retry_places(version_pk: int, target_pk: int, by: int, places: Pairs) -> None:
    """Retry the letters of a model version at these places, whether or not they were retried
    before.
    """
    found = _versions(version_pk, target_pk)
    if found is None:
        return
    rest = iter(places)
    with TopicReader(topics.errors(found[0].model.slug, found[0].version)) as reader:
        records = (reader.at(Offset(partition, offset)) for partition, offset in rest)
        last = _retry(
            *found, (Letter.of(record) for record in records if record is not None), by, again=True
        )
    if last is not None and (left := list(rest)):
        retry_places.delay(version_pk, target_pk, by, left)


@app.task(name="inference.tasks.retry_group")
def retry_group(
    version_pk: int, target_pk: int, by: int, group: str, start: Pairs, end: Pairs
) -> None:
    """Retry the inputs of a group between two places of each partition that were not yet retried
    with success, each by its newest attempt.
    """
    found = _versions(version_pk, target_pk)
    if found is None:
        return
    first, until = _cursor(start), _cursor(end)
    with TopicReader(topics.errors(found[0].model.slug, found[0].version)) as reader:
        letters = (
            letter
            for letter in newest_attempts(reader, first, until)
            if letter.summary.group == group
        )
        last = _retry(*found, letters, by, again=False)
    if last is not None:
        retry_group.delay(version_pk, target_pk, by, group, _after(last, first, until), end)


def _versions(version_pk: int, target_pk: int) -> tuple[ModelVersion, ModelVersion] | None:
    """Whose letters, and who is to have them; None when either was deleted."""
    versions = ModelVersion.objects.select_related("model").in_bulk([version_pk, target_pk])
    if {version_pk, target_pk} <= versions.keys():
        return versions[version_pk], versions[target_pk]
    log.info(
        "dead letters not retried: the model version was deleted version=%s target=%s",
        version_pk,
        target_pk,
    )
    return None


def _retry(
    version: ModelVersion, target: ModelVersion, letters: Iterable[Letter], by: int, *, again: bool
) -> Offset | None:
    """Retry for a while; the last place when there may be more to do."""
    deadline = time.monotonic() + JOB_SECONDS
    tried = failed = 0
    last = None
    try:
        with closing(retry_each(version, target, letters, by=by, again=again)) as outcomes:
            for letter, outcome in outcomes:
                tried, failed = tried + 1, failed + (not outcome.succeeded)
                if _ending.is_set() or time.monotonic() > deadline:
                    last = letter.offset
                    break
    except KafkaUnavailable as err:
        log.warning("retry of dead letters ended early model=%s detail=%s", version, err)
    log.info(
        "dead letters retried model=%s against=%s tried=%s failed=%s",
        version,
        target,
        tried,
        failed,
    )
    return last


def _cursor(pairs: Pairs) -> dict[int, int]:
    return {pair[0]: pair[1] for pair in pairs}


def _after(last: Offset, start: dict[int, int], end: dict[int, int]) -> list[tuple[int, int]]:
    """Where to go on after ``last``: partitions are read one after the other."""
    done = {partition: offset for partition, offset in end.items() if partition < last.partition}
    return list({**start, **done, last.partition: last.offset + 1}.items())
