"""Predicting on records, so that one bad record costs only itself."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from inference.plans import RecordPlan
from inference.runtimes import PICTURES, RECORDS, RUNTIMES
from inference.runtimes.batching import results_of
from inference.runtimes.errors import DeadlineExceeded, InferenceError, ServerUnavailable
from inference.runtimes.guard import guarded
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
# Limits of a batch for a model that takes one record at a time. A worker stops between batches.
MAX_IN_A_ROW: Final = 64
ROW_SECONDS: Final = 0.05
# The formats of pictures that a model can be given.
READABLE: Final = ("jpg", "png")


@dataclass(frozen=True, slots=True)
class RecordFailure:
    """Why a record has no result, and which attempt was the last."""

    error: BaseException
    attempt: int = 1


RecordResult = bytes | RecordFailure
Document = dict[str, Any]
Position = tuple[str, int, int]
"""Topic, partition, offset."""
Predict = Callable[[Sequence[Any]], Sequence[Any]]
"""Calls the model with several items: a document or an error for each."""


class StopRequested(Exception):
    """The worker stops before the result is known."""


class RecordPredictor:
    """Runs one model version on Kafka's records. For one thread."""

    def __init__(self, plan: RecordPlan, stopping: threading.Event) -> None:
        self.plan = plan
        self.stopping = stopping
        self.avro = avro.configured_decoder()
        self._records: RecordRuntime | None = None
        self._pictures: Runtime | None = None
        self._takes_pictures: bool | None = None
        self._schema: RecordSchema | None = None
        self._one_at_a_time = False
        self._failed: Counter[Position] = Counter()
        self._late: Counter[Position] = Counter()
        self.batch_size = plan.batch
        """How many records to pass to ``predict`` at a time."""

    def load(self) -> None:
        """Load what the runtime takes; InferenceError says why that fails. Where it takes both
        records and pictures, pictures are loaded with the first one.
        """
        objection = self._load_records()
        if self._records is not None:
            return
        try:
            self._load_pictures()
        except InferenceError as err:
            raise objection or err from None

    def _load_records(self) -> InferenceError | None:
        """Load the runtime for records, where there is one. Returns why the options are not
        options for records.
        """
        kind = RUNTIMES.get(self.plan.runtime)
        if kind is not None and RECORDS not in kind.takes:
            return None
        try:
            runtime = self.plan.create_records()
        except InferenceError as err:
            return err
        takes = getattr(runtime, "takes", RUNTIMES[self.plan.runtime].takes)
        if RECORDS not in takes:
            return None
        runtime.load()
        schema = json.loads(self.plan.input_schema) or runtime.input_schema
        self._schema = RecordSchema(schema) if schema else None
        self._takes_pictures = None if PICTURES in takes else False
        self._one_at_a_time = not getattr(runtime, "batches", True)
        self._records = runtime
        return None

    def _load_pictures(self) -> Runtime:
        if self._pictures is None:
            runtime = self.plan.create()
            runtime.load()
            self._pictures = runtime
        return self._pictures

    def close(self) -> None:
        for runtime in (self._records, self._pictures):
            if runtime is not None:
                runtime.close()
        self._records = self._pictures = None

    def predict(self, batch: Sequence[Record]) -> Sequence[RecordResult]:
        """The result of each record, in order. ServerUnavailable and StopRequested: there are no
        results, and that is not the records' fault.
        """
        started = time.perf_counter()
        documents = self._decode_all(batch)
        results = (
            self._predict_mixed(batch)
            if documents is None
            else self._results(documents, batch, self._predict_documents)
        )
        if self._one_at_a_time:
            per_record = (time.perf_counter() - started) / len(batch)
            fitting = int(ROW_SECONDS / per_record)
            self.batch_size = max(1, min(MAX_IN_A_ROW, 2 * self.batch_size, fitting))
        return results

    def _predict_mixed(self, batch: Sequence[Record]) -> list[RecordResult]:
        """The results where not every record is a valid document."""
        items = [self._decode(record) for record in batch]
        pairs = list(zip(items, batch, strict=True))
        documents = [pair for pair in pairs if isinstance(pair[0], dict)]
        pictures = [pair for pair in pairs if not isinstance(pair[0], dict | RecordFailure)]
        of_documents = iter(self._results(*_columns(documents), self._predict_documents))
        of_pictures = iter(self._results(*_columns(pictures), self._predict_pictures))
        return [
            item
            if isinstance(item, RecordFailure)
            else next(of_documents if isinstance(item, dict) else of_pictures)
            for item in items
        ]

    # Decoding

    def _decode_all(self, batch: Sequence[Record]) -> list[Document] | None:
        """All records decoded at once, in half the time; None unless all are valid documents."""
        if self._records is None:
            return None
        documents = decode_objects([record.value for record in batch])
        if documents is None or self._schema is None:
            return documents
        return documents if all(map(self._schema.fits, documents)) else None

    def _decode(self, record: Record) -> Document | Picture | RecordFailure:
        """The document or picture in a record, or why there is none for this model."""
        try:
            if self._records is None:
                return _decode_picture(record)
            return self._decode_document(record.value)
        except ServerUnavailable:
            raise
        except InferenceError as err:
            return self._picture_instead(record, err)

    def _decode_document(self, value: bytes | None) -> Document:
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

    def _picture_instead(
        self, record: Record, objection: InferenceError
    ) -> Picture | RecordFailure:
        """The picture in a record that is not a document, if the model takes both."""
        if self._records is None or not is_picture(record.value):
            return RecordFailure(objection)
        try:
            if self._can_take_pictures():
                return _decode_picture(record)
        except ServerUnavailable:
            raise
        except InferenceError as err:
            return RecordFailure(err)
        readable = picture_suffix(record.value or b"") in READABLE
        return RecordFailure(
            RecordError("The record is a picture, but the model takes JSON.")
            if readable
            else objection
        )

    def _can_take_pictures(self) -> bool:
        """Whether a model of documents takes pictures, too; found out with the first one."""
        if self._takes_pictures is None:
            try:
                self._load_pictures()
            except InferenceError as err:
                if not err.permanent:
                    raise
            self._takes_pictures = self._pictures is not None
        return self._takes_pictures

    # Calling the model

    def _predict_documents(self, documents: Sequence[Document]) -> Sequence[Any]:
        assert self._records is not None
        return self._records.predict_records(documents)

    def _predict_pictures(self, pictures: Sequence[Picture]) -> Sequence[Any]:
        return [detections_document(found) for found in self._load_pictures().predict(pictures)]

    def _results(
        self, items: Sequence[Any], records: Sequence[Record], predict: Predict
    ) -> Sequence[RecordResult]:
        # Decoded again for each further attempt: a model may change what it is given.
        outcomes = results_of(predict, items, "records", again=lambda i: self._decode(records[i]))
        with guarded():
            values = encode_all(outcomes)
        if values is not None:
            return values
        if len(outcomes) > 1 and isinstance(outcomes[-1], ServerUnavailable):
            raise outcomes[-1]
        return [self._result(*pair, predict) for pair in zip(records, outcomes, strict=True)]

    def _result(self, record: Record, outcome: Any, predict: Predict) -> RecordResult:
        """The outcome as JSON. A record that failed is tried again, unless the error is
        permanent. What it has failed with counts on when the server is away in between: a record
        that the model cannot take must not stop those behind it for ever.
        """
        position = (record.topic, record.partition, record.offset)
        while isinstance(outcome, BaseException):
            if isinstance(outcome, ServerUnavailable):
                self._late[position] += isinstance(outcome, DeadlineExceeded)
                raise outcome
            self._failed[position] += 1
            attempt = self._failed[position]
            if attempt >= MAX_ATTEMPTS or getattr(outcome, "permanent", False):
                self._forget(position)
                return RecordFailure(outcome, attempt)
            if self.stopping.wait(RETRY_SECONDS * attempt):
                raise StopRequested
            outcome = results_of(predict, [self._decode(record)], "records")[0]
        self._forget(position)
        try:
            with guarded():
                return encode(outcome)
        except InferenceError as err:
            return RecordFailure(err)

    def is_always_late(self, record: Record) -> bool:
        """Whether the record has exceeded the deadline as often as a record may."""
        late = self._late[record.topic, record.partition, record.offset]
        return 0 < settings.RECORD_DEADLINE_TRIES <= late

    def give_up(self, record: Record) -> RecordFailure:
        """The failure of a record that is always late."""
        position = (record.topic, record.partition, record.offset)
        late = self._late[position]
        self._forget(position)
        return RecordFailure(
            InferenceError(
                f"The model server has not answered about this record within the deadline, {late}"
                " times; it has answered about others.",
                permanent=False,
            ),
            late,
        )

    def _forget(self, position: Position) -> None:
        self._failed.pop(position, None)
        self._late.pop(position, None)


def _columns(pairs: Sequence[tuple[Any, Record]]) -> tuple[list[Any], list[Record]]:
    return [item for item, _ in pairs], [record for _, record in pairs]


def _decode_picture(record: Record) -> Picture:
    # Imported here: it needs OpenCV, which models of documents do not.
    from inference.streams.codec.picture import decode_picture

    return decode_picture(record)
