from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from inference.deadletters.attempts import newest_attempts
from inference.deadletters.content import ContentKind
from inference.deadletters.letters import Letter, LetterSummary, Offset, errors_topic
from inference.deadletters.reader import WINDOW, newest
from inference.deadletters.retry import Retrier
from inference.models import ModelVersion
from sightline.kafka import KafkaUnavailable
from sightline.kafka.reader import TopicReader


class Command(BaseCommand):
    help = (
        "Dead letters: `list` shows what a model could not process and why, `retry` gives it back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser(
            "list", help="newest first: place, time, attempt, error, origin"
        )
        listing.add_argument(
            "model", metavar="MODEL[@VERSION]", help="without a version: all versions"
        )
        listing.add_argument(
            "--limit",
            type=_limit,
            default=50,
            help=f"how many of each version (default 50, at most {WINDOW})",
        )
        listing.add_argument("--json", action="store_true", help="one JSON object a line")
        retry = actions.add_parser(
            "retry",
            help=(
                "records go to the inputs topic again, frames to the model; status 1 when any fails"
            ),
        )
        retry.add_argument("model", metavar="MODEL@VERSION")
        which = retry.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "--offset",
            type=Offset.parse,
            nargs="+",
            metavar="N",
            help="these, as `list` shows them: offset or partition:offset",
        )
        which.add_argument(
            "--all",
            action="store_true",
            help="each input that was not yet retried with success, by its newest attempt",
        )
        retry.add_argument(
            "--version",
            dest="target",
            metavar="V",
            help="against this version of the model instead of its own",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["action"] == "list":
                self.show(options["model"], options["limit"], as_json=options["json"])
            else:
                self.retry(options["model"], options["offset"], options["target"])
            self.stdout.flush()
        except KafkaUnavailable as err:
            raise CommandError(str(err)) from err
        except BrokenPipeError:
            # The reader of the pipe has closed it. Python would complain at exit about what is
            # still buffered, so that goes to /dev/null.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def show(self, name: str, limit: int, *, as_json: bool) -> None:
        for version in _versions(name):
            for letter in newest(errors_topic(version), limit=limit).letters:
                self.stdout.write(_json(version, letter) if as_json else _line(version, letter))

    def retry(self, name: str, offsets: list[Offset] | None, target_version: str | None) -> None:
        """Retry letters and print how each went."""
        if "@" not in name:
            raise CommandError(f"Which version? Write {name}@VERSION.")
        source = target = _versions(name).get()
        if target_version:
            target = _versions(f"{source.model.slug}@{target_version}").get()
        retried = failed = returned = 0
        with TopicReader(errors_topic(source)) as reader, Retrier(source, target) as retrier:
            letters = (
                _chosen(reader, offsets) if offsets else newest_attempts(reader, {}, reader.ends())
            )
            for letter, outcome in retrier.retry_each(letters, again=bool(offsets)):
                retried, failed = retried + outcome.succeeded, failed + (not outcome.succeeded)
                returned += letter.why.attempt > 1
                result = "retried" if outcome.succeeded else "failed"
                self.stdout.write(f"{letter.offset}\t{result}\t{_plain(outcome.detail)}")
                self.stdout.flush()
        self.stderr.write(
            f"{retried} retried, {failed} failed. {returned} of them had come back from a retry"
            " before."
        )
        if failed:
            raise CommandError(f"{failed} could not be retried.")


def _limit(text: str) -> int:
    return max(1, min(int(text), WINDOW))


def _versions(name: str) -> QuerySet[ModelVersion]:
    slug, _, version = name.partition("@")
    found = ModelVersion.objects.select_related("model").filter(model__slug=slug)
    if "@" in name:
        found = found.filter(version=version)
    if not found.exists():
        raise CommandError(f"There is no model {name}.")
    return found


def _chosen(reader: TopicReader, offsets: Iterable[Offset]) -> Iterator[Letter]:
    for offset in offsets:
        record = reader.at(offset.partition, offset.offset)
        if record is None:
            raise CommandError(f"There is no dead letter at {offset} (any more).")
        yield Letter.of(record)


def _line(version: ModelVersion, letter: LetterSummary) -> str:
    why = letter.why
    origin = f"{why.topic} {why.partition}:{why.offset}"
    error = why.error.rpartition(".")[2]
    columns = (
        version.version,
        str(letter.offset),
        f"{letter.at:%Y-%m-%dT%H:%M:%SZ}",
        str(why.attempt),
        error,
        _plain(why.message),
        _plain(origin),
    )
    return "\t".join(columns)


def _json(version: ModelVersion, letter: LetterSummary) -> str:
    why, content = letter.why, letter.content
    document = {
        "model": version.model.slug,
        "version": version.version,
        "partition": letter.offset.partition,
        "offset": letter.offset.offset,
        "timestamp": letter.timestamp,
        "attempt": why.attempt,
        "error": why.error,
        "message": why.message,
        "origin": {
            "topic": why.topic,
            "partition": why.partition,
            "offset": why.offset,
            "timestamp": why.timestamp,
        },
        "key": None if letter.key is None else letter.key_text,
        "kind": content.kind,
        "size": content.size,
    }
    if content.kind in (ContentKind.JSON, ContentKind.TEXT):
        document |= {"text": content.text, "cut": content.cut}
    return json.dumps(document)


def _plain(text: str) -> str:
    """On one line, and without what a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
