from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sightline.kafka import OFFSET_BEGINNING, OFFSET_END, Record
from sightline.kafka.reader import TopicReader
from sightline.messages.preview import (
    envelope,
    is_picture,
    picture_suffix,
    plain,
)
from sightline.site.command_line import (
    binary_output,
    existing,
    plain_errors,
    topic_of,
)

SEARCH_SECONDS = 60.0


class Command(BaseCommand):
    help = (
        "Receive records: one line of JSON for each, on standard output, from now on. Ctrl-C ends"
        " it, or --count, or --timeout."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "topic",
            metavar="TOPIC",
            help="its name, or MODEL@VERSION for the outputs of a model, or MODEL@VERSION.errors",
        )
        start = parser.add_mutually_exclusive_group()
        start.add_argument(
            "--from-beginning",
            dest="offset",
            action="store_const",
            const=OFFSET_BEGINNING,
            help="from the oldest record on",
        )
        start.add_argument(
            "--latest",
            dest="offset",
            action="store_const",
            const=OFFSET_END,
            help="only what comes from now on (the default)",
        )
        start.add_argument("--offset", type=whole, help="from this offset of each partition on")
        start.add_argument(
            "--last", type=whole, metavar="N", help="from the last N of each partition on"
        )
        start.add_argument(
            "--since",
            type=moment,
            metavar="TIME",
            help="from this moment on, such as 2026-05-01T12:00 (UTC)",
        )
        parser.add_argument("--partition", type=int, help="only this one")
        parser.add_argument("--count", type=whole, help="end after so many records")
        parser.add_argument(
            "--timeout",
            type=float,
            help="end when none has come for so many seconds; with --count, that is an error",
        )
        form = parser.add_mutually_exclusive_group()
        form.add_argument(
            "--raw",
            action="store_true",
            help="values as they are: a picture alone, anything else with a line's end after it",
        )
        form.add_argument(
            "--envelope",
            action="store_true",
            help="JSON with topic, partition, offset, timestamp, key and headers around the value",
        )
        parser.add_argument(
            "--save",
            type=Path,
            metavar="DIR",
            help="write pictures to files there; their lines name the files",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with plain_errors():
            topic = existing(topic_of(options["topic"], "outputs"))
            writer = Writer(
                raw=options["raw"], with_envelope=options["envelope"], folder=options["save"]
            )
            with TopicReader(topic, SEARCH_SECONDS) as reader:
                records = reader.follow(starts_of(reader, options))
                received = receive(records, writer, options["count"], options["timeout"])
            if options["count"] is not None and received < options["count"]:
                raise CommandError(
                    f"{received} of {options['count']} records came; none for"
                    f" {options['timeout']:g} s."
                )


class Writer:
    """Writes records to standard output."""

    def __init__(self, *, raw: bool, with_envelope: bool, folder: Path | None) -> None:
        self.raw = raw
        self.with_envelope = with_envelope
        self.folder = folder
        self.output = binary_output()

    def write(self, record: Record) -> None:
        """Write one record; CommandError if its picture cannot be saved."""
        value = record.value
        picture = is_picture(value)
        if self.raw and not (picture and self.folder):
            self.output.write((value or b"") + (b"" if picture else b"\n"))
            return
        shown = self.saved(record) if picture and self.folder else plain(value)
        line = envelope(record, shown) if self.with_envelope else shown
        self.output.write(
            json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        )

    def saved(self, record: Record) -> dict[str, Any]:
        """Write the picture to a file; returns what its line says."""
        assert self.folder is not None
        value = record.value or b""
        path = (
            self.folder
            / f"{record.topic}-{record.partition}-{record.offset}.{picture_suffix(value)}"
        )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)
        except OSError as err:
            raise CommandError(f"{path} cannot be written: {err.strerror}.") from err
        return {"file": str(path), "bytes": len(value)}

    def flush(self) -> None:
        """Pass buffered lines on to whatever reads them."""
        self.output.flush()


def receive(
    batches: Iterator[list[Record]], writer: Writer, count: int | None, timeout: float | None
) -> int:
    """Write records until ``count`` or ``timeout`` is reached; returns how many were written."""
    received = 0
    received_at = time.monotonic()
    for records in batches:
        for record in records[: None if count is None else count - received]:
            writer.write(record)
            received += 1
        if records:
            writer.flush()
            received_at = time.monotonic()
        if (count is not None and received >= count) or (
            timeout is not None and time.monotonic() - received_at > timeout
        ):
            break
    return received


def starts_of(reader: TopicReader, options: dict[str, Any]) -> dict[int, int]:
    """Where to begin in each partition."""
    partitions = reader.partitions()
    if (chosen := options["partition"]) is not None:
        if chosen not in partitions:
            raise CommandError(f"{reader.topic.name} has the partitions 0 to {partitions[-1]}.")
        partitions = range(chosen, chosen + 1)
    if options["since"] is not None:
        return reader.starts_since(options["since"], partitions)
    if options["last"] is not None:
        return reader.starts_of_last(options["last"], partitions)
    return dict.fromkeys(partitions, OFFSET_END if options["offset"] is None else options["offset"])


def whole(text: str) -> int:
    """A number that counts records."""
    if (number := int(text)) < 0:
        raise ValueError(text)
    return number


def moment(text: str) -> int:
    """ISO 8601 in ms since the epoch; UTC where no zone is named."""
    found = datetime.fromisoformat(text)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
