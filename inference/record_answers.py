"""Asking a model about records, so that one bad record costs only itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from inference import avro, runtimes
from inference.record_plans import RecordPlan
from inference.record_values import detections, dumped, parsed
from inference.runtimes import RECORDS, RUNTIMES
from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.schemas import RecordError, Schema
from sightline.kafka import Record
from sightline.values import is_picture

if TYPE_CHECKING:
    from inference.runtimes.base import Runtime
    from inference.runtimes.records import RecordRuntime

MOST_ATTEMPTS: Final = 3
RETRY_SECONDS: Final = 0.1
# A model that takes one record at a time is asked about so many in a row, or for so long: then the worker looks up.
MOST_IN_A_ROW: Final = 64
ROW_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record got no answer, and at which attempt it was given up."""

    error: BaseException
    attempt: int = 1


Answer = bytes | Failure


class Stopped(Exception):
    """The worker is asked to end before the answer is known."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a model is asked, and how its results become values."""

    call: Callable[[Any], Any]
    write: Callable[[Any], bytes]


class Answers:
    """One model version, asked about Kafka's records. For one thread."""

    def __init__(self, plan: RecordPlan, stopping: threading.Event) -> None:
        self.plan = plan
        self.stopping = stopping
        self.avro = avro.reader()
        self._records: RecordRuntime | None = None
        self._pictures: Runtime | None = None
        self._schema = Schema({})
        self._checked = False
        self._in_rows = False
        self.most = plan.batch
        """How many records are best asked about at a time."""

    def load(self) -> None:
        """Make ready what the runtime takes; InferenceError says why that cannot be done. Pictures wait for the first one where both are taken."""
        objection = self._load_records()
        if self._records is not None:
            return
        try:
            self._load_pictures()
        except InferenceError as err:
            raise objection or err from None

    def _load_records(self) -> InferenceError | None:
        """Load the runtime's own way with records, where it has one. What is wrong with the options if it does not take them for records."""
        kind = RUNTIMES.get(self.plan.runtime)
        if kind is not None and RECORDS not in kind.takes:
            return None
        try:
            runtime = runtimes.create_records(self.plan.runtime, self.plan.option_values, file=self.plan.path)
        except InferenceError as err:
            return err
        if RECORDS not in getattr(runtime, "takes", {RECORDS}):
            return None
        runtime.load()
        schema = json.loads(self.plan.input_schema) or runtime.input_schema
        self._schema = Schema(schema)
        self._checked = bool(schema)
        self._in_rows = not getattr(runtime, "batches", True)
        self._records = runtime
        return None

    def _load_pictures(self) -> Runtime:
        if self._pictures is None:
            runtime = runtimes.create(self.plan.runtime, self.plan.option_values, file=self.plan.path)
            runtime.load()
            self._pictures = runtime
        return self._pictures

    def close(self) -> None:
        """Free the model."""
        for runtime in (self._records, self._pictures):
            if runtime is not None:
                runtime.close()
        self._records = self._pictures = None

    def ask(self, batch: Sequence[Record]) -> list[Answer]:
        """The answer to each record, in order. ServerUnavailable: none is known, through no fault of theirs; Stopped: none is known."""
        started = time.perf_counter()
        answers: list[Answer | None] = [None] * len(batch)
        documents: list[tuple[int, Any]] = []
        pictures: list[tuple[int, Any]] = []
        for place, record in enumerate(batch):
            try:
                if self._records is None or is_picture(record.value):
                    pictures.append((place, self._picture(record)))
                else:
                    documents.append((place, self._document(record.value)))
            except ServerUnavailable:
                raise
            except InferenceError as err:
                answers[place] = Failure(err)
        if documents:
            assert self._records is not None
            self._fill(answers, documents, Way(self._records.predict_records, dumped))
        if pictures:
            self._fill(answers, pictures, Way(self._load_pictures().predict, lambda found: dumped(detections(found))))
        if self._in_rows:
            per_record = (time.perf_counter() - started) / len(batch)
            self.most = max(1, min(MOST_IN_A_ROW, 2 * self.most, int(ROW_SECONDS / per_record)))
        return [answer for answer in answers if answer is not None]

    def _document(self, value: bytes | None) -> Any:
        document = self.avro.read(value) if self.avro is not None and value is not None and value.startswith(avro.MAGIC) else parsed(value)
        if type(document) is not dict:
            raise RecordError("The record is JSON, but not an object with names and values.")
        if self._checked and not self._schema.fits(document):
            self._schema.check(document)
        return document

    def _picture(self, record: Record) -> Any:
        # Only where pictures are records is OpenCV needed.
        from inference.record_pictures import picture_of

        return picture_of(record)

    def _fill(self, answers: list[Answer | None], items: Sequence[tuple[int, Any]], way: Way) -> None:
        """Ask about the items, and put each answer into its place."""
        results = _results(way.call, [item for _, item in items])
        for (place, item), result in zip(items, results, strict=True):
            answers[place] = self._again(item, result, way) if isinstance(result, BaseException) else _written(result, way)

    def _again(self, item: Any, error: BaseException, way: Way) -> Answer:
        """Ask about one item again, unless its error will stay the same."""
        attempt = 1
        while attempt < MOST_ATTEMPTS and not getattr(error, "permanent", False):
            if self.stopping.wait(RETRY_SECONDS * attempt):
                raise Stopped
            attempt += 1
            result = _results(way.call, [item])[0]
            if not isinstance(result, BaseException):
                return _written(result, way)
            error = result
        return Failure(error, attempt)


def _written(result: Any, way: Way) -> Answer:
    try:
        return way.write(result)
    except InferenceError as err:
        return Failure(err)


def _results(call: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """A result or an error for each item. When a call for several fails, each is asked about alone, to find out whose fault it is."""
    try:
        results = list(call(items))
        if len(results) != len(items):
            raise InferenceError(f"The model gave {len(results)} results for {len(items)} records.", permanent=True)
    except ServerUnavailable:
        raise
    except (Exception, SystemExit) as err:  # noqa: BLE001 - a model may raise anything; whatever it is, it costs these records only
        return [err] if len(items) == 1 else [_results(call, [item])[0] for item in items]
    for result in results:
        if isinstance(result, ServerUnavailable):
            raise result
    return results
