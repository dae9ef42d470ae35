"""Requests to retry: one letter at once, several by a job; and the messages to the user."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from kombu.exceptions import ChannelError, OperationalError

from inference.deadletters.letters import Letter, Offset, errors_topic
from inference.deadletters.retry import Retrier
from inference.deadletters.tasks import retry_group, retry_selected
from inference.models import ModelVersion
from sightline.kafka.reader import TopicReader

# A level of django.contrib.messages, and the message.
Notice = tuple[int, str]


def retry_now(source: ModelVersion, target: ModelVersion, letter: Letter, by: int | None) -> Notice:
    with Retrier(source, target, by) as retrier:
        outcome = retrier.retry(letter)
    if outcome is None:
        return messages.WARNING, "This dead letter is just being retried by somebody else."
    if outcome.succeeded:
        return messages.SUCCESS, f"Retried. {outcome.detail}"
    return messages.ERROR, f"It failed again. {outcome.detail}"


def queue_selected(
    source: ModelVersion, target: ModelVersion, offsets: list[Offset], by: int | None
) -> Notice:
    """Queue a job that retries the letters at these offsets."""
    pairs = [(offset.partition, offset.offset) for offset in offsets]
    job = partial(retry_selected.delay, source.pk, target.pk, by, pairs)
    return _queue(job, f"{len(pairs)} dead letters are")


def queue_group(source: ModelVersion, target: ModelVersion, group: str, by: int | None) -> Notice:
    """Queue a job that retries a group, up to the end of the topic as it is now."""
    with TopicReader(errors_topic(source)) as reader:
        end = list(reader.ends().items())
    job = partial(retry_group.delay, source.pk, target.pk, by, group, [], end)
    return _queue(
        job,
        "All inputs of this kind that were not yet retried with success, each by its newest"
        " attempt, are",
    )


def _queue(job: Callable[[], object], subject: str) -> Notice:
    try:
        job()
    except (OperationalError, ChannelError, OSError):
        return messages.ERROR, "Nothing was retried: the task queue does not answer."
    return (
        messages.INFO,
        f"{subject} being retried. Load this page again in a few seconds to see how that went.",
    )
