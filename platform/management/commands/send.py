from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sightline.kafka import DeliveryReport, NotCommitted, ReliableProducer
from sightline.site.command_line import (
    existing,
    header_of,
    plain_errors,
    topic_of,
)

ANY_PARTITION = -1
DELIVERY_SECONDS = 30


class Command(BaseCommand):
    help = (
        "Send records: each line of standard input, or of files, is one; with --raw each file is"
        " one. Empty lines are left out."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Otherwise an option between the topic and the files would end the list of files.
        parser.parse_args = parser.parse_intermixed_args  # type: ignore[method-assign]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "topic", metavar="TOPIC", help="its name, or MODEL@VERSION for the inputs of a model"
        )
        parser.add_argument(
            "files", nargs="*", type=Path, metavar="FILE", help="none: standard input"
        )
        parser.add_argument(
            "--raw",
            action="store_true",
            help=(
                "a file (or all of standard input) is one record, as it is: a picture, for example"
            ),
        )
        parser.add_argument("--key", help="the key of every record")
        parser.add_argument(
            "--header",
            action="append",
            default=[],
            type=header_of,
            metavar="NAME=VALUE",
            help="of every record; repeatable",
        )
        parser.add_argument(
            "--partition", type=int, default=ANY_PARTITION, help="default: by the key, or any"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with plain_errors():
            topic = existing(topic_of(options["topic"], "inputs"))
            key = None if options["key"] is None else options["key"].encode()
            sending = Sending(topic.name, key, options["header"], options["partition"])
            try:
                for value in values(options["files"], raw=options["raw"]):
                    sending.send(value)
            except OSError as err:
                raise CommandError(
                    f"{err.filename} cannot be read: {err.strerror}. {sending.finish()} records"
                    " were sent."
                ) from err
            self.stderr.write(f"{sending.finish()} records sent to {topic.name}")


class Sending:
    """Records on their way to one topic."""

    def __init__(
        self, topic: str, key: bytes | None, headers: list[tuple[str, bytes]], partition: int
    ) -> None:
        self.topic = topic
        self.key = key
        self.headers = headers
        self.partition = partition
        self.producer = ReliableProducer()
        self.report = DeliveryReport()
        self.count = 0

    def send(self, value: bytes) -> None:
        """Queue a record; wait while the queue is full."""
        try:
            while not self.producer.send(
                self.topic, value, self.key, self.headers, self.partition, self.report
            ):
                self.producer.poll(0.1)
        except NotCommitted as err:
            raise CommandError(
                f"Record {self.count + 1} cannot be sent: {err}. {self.finish()} records were sent."
            ) from err
        self.count += 1

    def finish(self) -> int:
        """Wait for all records to be acknowledged and return their number; CommandError if some are
        not.
        """
        left = self.producer.flush(DELIVERY_SECONDS)
        if left or self.report.error:
            why = (
                self.report.error or f"{left} are still not acknowledged after {DELIVERY_SECONDS} s"
            )
            raise CommandError(f"Not all of {self.count} records have arrived: {why}.")
        self.producer.close(0)
        return self.count


def values(files: Iterable[Path], *, raw: bool) -> Iterator[bytes]:
    """The values of the records to send."""
    for file in files:
        if raw:
            yield file.read_bytes()
        else:
            with file.open("rb") as lines:
                yield from without_ends(lines)
    if not files:
        yield from [sys.stdin.buffer.read()] if raw else without_ends(sys.stdin.buffer)


def without_ends(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their line ends; empty ones are left out."""
    return (value for line in lines if (value := line.rstrip(b"\r\n")))
