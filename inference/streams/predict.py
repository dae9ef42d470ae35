"""Asking a model about records, so that one bad record costs only itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from inference import runtimes
from inference.record_plans import RecordPlan
from inference.runtimes import PICTURES, RECORDS, RUNTIMES
from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.streams.codec import avro
from inference.streams.codec.json import (
    decode,
    decode_objects,
    detections_document,
    encode,
    encode_all,
)
from inference.streams.codec.schema import RecordError, RecordSchema
from sightline.kafka import Record
from sightline.messages.preview import is_picture, picture_suffix

if TYPE_CHECKING:
    from inference.runtimes.base import Picture, Runtime
    from inference.runtimes.records import RecordRuntime

MAX_ATTEMPTS: Final = 3
RETRY_SECONDS: Final = 0.1
# A model that takes one record at a time is asked about so many in a row, or for so long: then the
# worker looks up.
MAX_IN_A_ROW: Final = 64
ROW_SECONDS: Final = 0.05
# Of all pictures, those that a model can be given.
READABLE: Final = ("jpg", "png")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record got no answer, and at which attempt it was given up."""

    error: BaseException
    attempt: int = 1


Answer = bytes | Failure
Document = dict[str, Any]
Call = Callable[[Sequence[Any]], Sequence[Any]]
"""Asks a model about several items: for each a document or an error."""


class Stopped(Exception):
    """The worker is asked to end before the answer is known."""


class Answers:
    """One model version, asked about Kafka's records. For one thread."""

    def __init__(self, plan: RecordPlan, stopping: threading.Event) -> None:
        self.plan = plan
        self.stopping = stopping
        self.avro = avro.configured_decoder()
        self._records: RecordRuntime | None = None
        self._pictures: Runtime | None = None
        self._pictures_too: bool | None = None
        self._schema: RecordSchema | None = None
        self._in_rows = False
        self.most = plan.batch
        """How many records are best asked about at a time."""

    def load(self) -> None:
        """Make ready what the runtime takes; InferenceError says why that cannot be done.
        Pictures wait for the first one where both are taken.
        """
        objection = self._load_records()
        if self._records is not None:
            return
        try:
            self._load_pictures()
        except InferenceError as err:
            raise objection or err from None

    def _load_records(self) -> InferenceError | None:
        """Load the runtime's own way with records, where it has one. What is wrong with the
        options if it does not take them for records.
        """
        kind = RUNTIMES.get(self.plan.runtime)
        if kind is not None and RECORDS not in kind.takes:
            return None
        try:
            runtime = runtimes.create_records(
                self.plan.runtime, self.plan.option_values, file=self.plan.path
            )
        except InferenceError as err:
            return err
        takes = getattr(runtime, "takes", RUNTIMES[self.plan.runtime].takes)
        if RECORDS not in takes:
            return None
        runtime.load()
        schema = json.loads(self.plan.input_schema) or runtime.input_schema
        self._schema = RecordSchema(schema) if schema else None
        self._pictures_too = None if PICTURES in takes else False
        self._in_rows = not getattr(runtime, "batches", True)
        self._records = runtime
        return None

    def _load_pictures(self) -> Runtime:
        if self._pictures is None:
            runtime = runtimes.create(
                self.plan.runtime, self.plan.option_values, file=self.plan.path
            )
            runtime.load()
            self._pictures = runtime
        return self._pictures

    def close(self) -> None:
        """Free the model."""
        for runtime in (self._records, self._pictures):
            if runtime is not None:
                runtime.close()
        self._records = self._pictures = None

    def ask(self, batch: Sequence[Record]) -> Sequence[Answer]:
        """The answer to each record, in order. ServerUnavailable: none is known, through no
        fault of theirs; Stopped: none is known.
        """
        started = time.perf_counter()
        documents = self._all_documents(batch)
        answers = (
            self._among_others(batch) if documents is None else self._about(documents, self._told)
        )
        if self._in_rows:
            per_record = (time.perf_counter() - started) / len(batch)
            self.most = max(1, min(MAX_IN_A_ROW, 2 * self.most, int(ROW_SECONDS / per_record)))
        return answers

    def _all_documents(self, batch: Sequence[Record]) -> list[Document] | None:
        """What the records say, in half the time that one after the other takes; None unless all
        of them are documents that fit.
        """
        documents = (
            decode_objects([record.value for record in batch])
            if self._records is not None
            else None
        )
        return (
            documents
            if documents is not None
            and (self._schema is None or all(map(self._schema.fits, documents)))
            else None
        )

    def _among_others(self, batch: Sequence[Record]) -> list[Answer]:
        """The answers, where not all records are documents that fit."""
        items = [self._item(record) for record in batch]
        told = iter(self._about([item for item in items if isinstance(item, dict)], self._told))
        seen = iter(
            self._about(
                [item for item in items if not isinstance(item, dict | Failure)], self._seen
            )
        )
        return [
            item if isinstance(item, Failure) else next(told if isinstance(item, dict) else seen)
            for item in items
        ]

    # What a record is

    def _item(self, record: Record) -> Document | Picture | Failure:
        """What the model can be asked about, or why there is nothing."""
        try:
            return _picture(record) if self._records is None else self._document(record.value)
        except ServerUnavailable:
            raise
        except InferenceError as err:
            return self._picture_after_all(record, err)

    def _document(self, value: bytes | None) -> Document:
        document = (
            self.avro.decode(value)
            if self.avro is not None and value is not None and value.startswith(avro.MAGIC)
            else decode(value)
        )
        if type(document) is not dict:
            raise RecordError("The record is JSON, but not an object with names and values.")
        if self._schema is not None:
            self._schema.check(document)
        return document

    def _picture_after_all(self, record: Record, objection: InferenceError) -> Picture | Failure:
        """What is no document may be a picture, and the model one that takes both."""
        if self._records is None or not is_picture(record.value):
            return Failure(objection)
        try:
            if self._takes_pictures():
                return _picture(record)
        except ServerUnavailable:
            raise
        except InferenceError as err:
            return Failure(err)
        readable = picture_suffix(record.value or b"") in READABLE
        return Failure(
            RecordError("The record is a picture, but the model takes JSON.")
            if readable
            else objection
        )

    def _takes_pictures(self) -> bool:
        """Whether a model of documents takes pictures, too; found out with the first one."""
        if self._pictures_too is None:
            try:
                self._load_pictures()
            except InferenceError as err:
                if not err.permanent:
                    raise
            self._pictures_too = self._pictures is not None
        return self._pictures_too

    # Asking

    def _told(self, documents: Sequence[Document]) -> Sequence[Any]:
        assert self._records is not None
        return self._records.predict_records(documents)

    def _seen(self, pictures: Sequence[Picture]) -> Sequence[Any]:
        return [detections_document(found) for found in self._load_pictures().predict(pictures)]

    def _about(self, items: Sequence[Any], call: Call) -> Sequence[Answer]:
        """The answer to each item."""
        results = _results(call, items) if items else []
        values = encode_all(results)
        return (
            [self._answer(*pair, call) for pair in zip(items, results, strict=True)]
            if values is None
            else values
        )

    def _answer(self, item: Any, result: Any, call: Call) -> Answer:
        """The result as JSON; of an item that gave an error, after it was asked about again,
        unless the error will stay the same.
        """
        attempt = 1
        while isinstance(result, BaseException):
            if attempt == MAX_ATTEMPTS or getattr(result, "permanent", False):
                return Failure(result, attempt)
            if self.stopping.wait(RETRY_SECONDS * attempt):
                raise Stopped
            attempt += 1
            result = _results(call, [item])[0]
        try:
            return encode(result)
        except InferenceError as err:
            return Failure(err)


def _picture(record: Record) -> Picture:
    # Only where pictures are records is OpenCV needed.
    from inference.streams.codec.picture import decode_picture

    return decode_picture(record)


def _results(call: Call, items: Sequence[Any]) -> list[Any]:
    """A result or an error for each item. When a call for several fails, each is asked about
    alone, to find out whose fault it is.
    """
    try:
        results = list(call(items))
        if len(results) != len(items):
            raise InferenceError(
                f"The model gave {len(results)} results for {len(items)} records.", permanent=True
            )
    except ServerUnavailable:
        raise
    except (Exception, SystemExit) as err:  # noqa: BLE001 - a model may raise anything; whatever it is, it costs these records only
        return [err] if len(items) == 1 else [_results(call, [item])[0] for item in items]
    for result in results:
        if isinstance(result, ServerUnavailable):
            raise result
    return results
