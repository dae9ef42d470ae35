"""What the command-line tools share: names of topics as people type them, and standard output
that carries data only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from django.core.management.base import CommandError

from inference.models import ModelVersion
from sightline.kafka import Admin, KafkaUnavailable, topics
from sightline.kafka.topics import Topic

BROKEN_PIPE_STATUS = 141  # the status of a program that SIGPIPE ends


def topic_of(text: str, part: str) -> Topic:
    """A topic by its name, or ``MODEL@VERSION`` for the model version's ``part``, or
    ``MODEL@VERSION.errors`` and so on.
    """
    match = topics.MODEL_TOPIC.fullmatch(text)
    if match is None:
        return Topic(text)
    model, version, named = match.groups()
    found = (
        ModelVersion.objects.filter(model__slug=model, version=version)
        .select_related("model")
        .first()
    )
    if found is None:
        raise CommandError(f"There is no model version {model}@{version}.")
    inputs, outputs, errors = topics.record_topics(model, version, found.model.partitions)
    history = topics.model_history(model, version)
    return {"inputs": inputs, "outputs": outputs, "errors": errors, "history": history}[
        named or part
    ]


def existing(topic: Topic) -> Topic:
    """The topic, created if it is one of a model's; CommandError if it does not exist."""
    admin = Admin()
    if topic.config:
        admin.ensure([topic])
    elif topic.name not in admin.partitions():
        raise CommandError(
            f"There is no topic {topic.name}. `manage.py topics list` shows those that there are,"
            " `topics create` makes one."
        )
    return topic


@contextmanager
def plain_errors() -> Iterator[None]:
    """Report a missing broker in one sentence; end quietly on Ctrl-C, or when nobody reads our
    output any longer.
    """
    try:
        yield
        sys.stdout.flush()
    except KafkaUnavailable as err:
        raise CommandError(str(err)) from err
    except BrokenPipeError:
        # Python flushes at exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE_STATUS)
    except KeyboardInterrupt:
        sys.exit(130)


def binary_output() -> BinaryIO:
    """Standard output for bytes."""
    return sys.stdout.buffer


def header_of(text: str) -> tuple[str, bytes]:
    """``name=value``; ValueError otherwise, which makes argparse explain."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError(text)
    return name, value.encode()


header_of.__name__ = "NAME=VALUE"  # argparse names the type in its message
