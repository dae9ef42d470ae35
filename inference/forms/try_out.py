"""A model tried once, as it is typed into a form: on one picture or one record, within a few
seconds, with nothing saved or sent.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeVar

from inference import runtimes
from inference.runtimes.base import Picture, jpeg_size
from inference.runtimes.batching import detections_of, results_of
from inference.runtimes.errors import InferenceError
from inference.runtimes.guard import error_text, guarded
from inference.runtimes.images import PNG, decode_png
from inference.runtimes.tensors import (
    Backend,
    ModelMetadata,
    Tensor,
    TensorSpec,
    datatype_of,
)
from inference.streams.codec.json import decode, encode
from inference.streams.codec.schema import RecordError, RecordSchema
from sightline.base.redaction import redact_url
from sightline.kafka import OFFSET_NEWEST, KafkaUnavailable, Record, topics
from sightline.kafka.reader import TopicReader
from sightline.messages import Detection, Frame, FrameRef
from sightline.messages.json import MessageError

if TYPE_CHECKING:
    from inference.runtimes.base import Runtime
    from inference.runtimes.records import RecordRuntime

log = logging.getLogger(__name__)

SECONDS: Final = 10.0
REPEATS: Final = 5
REPEAT_SECONDS: Final = 3.0
CAMERA_SECONDS: Final = 3.0
OLD_SECONDS: Final = 10
JPEG: Final = b"\xff\xd8"
# Models that hang keep their place for as long as they do, so that no number of trials can fill the
# process.
PLACES: Final = threading.BoundedSemaphore(3)
# What one picture alone cannot show.
LEARNERS: Final = {
    "builtin-motion": (
        "Motion is seen from one picture to the next, after a few of them: one picture alone shows"
        " none."
    )
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Subject:
    """The model that is tried. ``file`` is the model itself where the runtime runs a file."""

    runtime: str
    options: Mapping[str, Any]
    file: Path | None = None
    input_schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """How it went: ``predictions`` of a picture or the ``result`` of a record, or the ``error`` in
    one sentence.

    Times are in ms: loading, the first answer, the median of five more. ``inputs`` and
    ``outputs`` are the tensors of the last call.
    """

    predictions: tuple[Detection, ...] = ()
    result: dict[str, Any] | None = None
    error: str = ""
    load_ms: float | None = None
    first_ms: float | None = None
    median_ms: float | None = None
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    notes: tuple[str, ...] = ()


class Watched:
    """A backend that notes the tensors of its last call."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.inputs: tuple[TensorSpec, ...] = ()
        self.outputs: tuple[TensorSpec, ...] = ()

    def load(self) -> None:
        self._backend.load()

    def metadata(self) -> ModelMetadata:
        return self._backend.metadata()

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.inputs = _specs(inputs)
        outputs = self._backend.infer(inputs)
        self.outputs = _specs(outputs)
        return outputs

    def close(self) -> None:
        self._backend.close()


class _Watch:
    """Holds the backend that a runtime was made through; without one there are no tensors to
    tell of.
    """

    def __init__(self) -> None:
        self._seen: Watched | None = None

    def __call__(self, backend: Backend) -> Backend:
        self._seen = Watched(backend)
        return self._seen

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._seen.inputs if self._seen else ()

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._seen.outputs if self._seen else ()


def try_picture(subject: Subject, image: bytes) -> Trial:
    """The model on one JPEG or PNG."""
    watch = _Watch()
    runtime = runtimes.create(subject.runtime, subject.options, file=subject.file, through=watch)

    def once() -> tuple[Detection, ...]:
        # A new picture each time: what has been decoded is kept in it.
        answer = detections_of(runtime, [picture_of(image)], 1)[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def trial(found: tuple[Detection, ...]) -> Trial:
        notes = [
            *getattr(runtime, "notes", ()),
            *([LEARNERS[subject.runtime]] if subject.runtime in LEARNERS else []),
        ]
        return Trial(found, notes=tuple(notes))

    return _tried(runtime, once, trial, watch)


def try_record(subject: Subject, text: str) -> Trial:
    """The model on one record, JSON text."""
    watch = _Watch()
    if type(decode(text.encode())) is not dict:
        raise RecordError("The record is JSON, but not an object with names and values.")
    runtime = runtimes.create_records(
        subject.runtime, subject.options, file=subject.file, through=watch
    )

    def once() -> dict[str, Any]:
        # The runtime may change what it is given.
        record = decode(text.encode())
        RecordSchema(subject.input_schema or runtime.input_schema).check(record)
        answer = results_of(runtime.predict_records, [record], "records")[0]
        if isinstance(answer, BaseException):
            raise answer
        result: dict[str, Any] = decode(encode(answer))
        return result

    return _tried(runtime, once, lambda result: Trial(result=result), watch)


def _tried(
    runtime: Runtime | RecordRuntime,
    once: Callable[[], T],
    trial: Callable[[T], Trial],
    watch: _Watch,
) -> Trial:
    """Load, ask several times, close."""
    loaded: float | None = None
    try:
        with guarded():
            loaded, _ = _timed(runtime.load)
            first, answer = _timed(once)
            found = replace(trial(answer), first_ms=first, median_ms=_median(once))
    except Exception as err:  # noqa: BLE001 - foreign code may raise anything
        found = Trial(error=sentence(err))
    finally:
        runtime.close()
    return replace(found, load_ms=loaded, inputs=watch.inputs, outputs=watch.outputs)


def described(
    subject: Subject, fed_with: str
) -> tuple[ModelMetadata, Mapping[str, Any], Mapping[str, Any]]:
    """What the model says of itself: its tensors, and the schemas of its records. InferenceError
    when it does not say.
    """
    if runtimes.RUNTIMES[subject.runtime].tensors and fed_with == runtimes.PICTURES:
        backend = runtimes.create_backend(subject.runtime, subject.options, file=subject.file)
        try:
            backend.load()
            return backend.metadata(), {}, {}
        finally:
            backend.close()
    runtime = runtimes.create_records(subject.runtime, subject.options, file=subject.file)
    try:
        runtime.load()
        own = getattr(runtime, "backend", None)
        metadata = ModelMetadata("", "", (), ()) if own is None else own.metadata()
        return metadata, runtime.input_schema, runtime.output_schema
    finally:
        runtime.close()


def picture_of(image: bytes) -> Picture:
    """Decode an uploaded picture; a permanent InferenceError if it is not one."""
    if image.startswith(PNG):
        return Picture.of_array(decode_png(image), "", FrameRef(1, time.time_ns(), 0, 0, -1))
    if not image.startswith(JPEG):
        raise InferenceError(
            "The file is not a picture that can be read here: choose a JPEG or a PNG.",
            permanent=True,
        )
    return Picture(Frame("", 1, time.time_ns(), *jpeg_size(image), image))


def newest_frame(camera: str, seconds: float = CAMERA_SECONDS) -> Frame:
    """The camera's newest picture in Kafka; InferenceError if there is none, KafkaUnavailable
    when Kafka is away.
    """
    deadline = time.monotonic() + seconds
    with TopicReader(topics.frames(camera)) as reader:
        for records in reader.follow({0: OFFSET_NEWEST}):
            if records:
                return _frame_of(camera, records[0])
            if time.monotonic() > deadline:
                break
    raise InferenceError(
        "The camera delivers no pictures now. Is it switched on, and is a capture worker running?",
        permanent=False,
    )


def _frame_of(camera: str, record: Record) -> Frame:
    try:
        return Frame.from_record(camera, record.value, record.header_map, record.offset)
    except MessageError as err:
        raise InferenceError(
            f"The camera's newest picture cannot be read. {err}", permanent=True
        ) from err


def within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` returns or raises; InferenceError when it takes longer. It is then left
    behind, in its thread, to end by itself.
    """
    if not PLACES.acquire(blocking=False):
        raise InferenceError(
            "Other models are being tried, or hang. Try again in a few seconds.", permanent=False
        )
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            with guarded():
                answers.put((work(), None))
        except Exception as err:  # noqa: BLE001 - foreign code may raise anything
            answers.put((None, err))
        finally:
            PLACES.release()

    threading.Thread(target=run, name="tryout", daemon=True).start()
    try:
        value, error = answers.get(timeout=seconds)
    except queue.Empty as err:
        raise InferenceError(
            f"It took longer than {seconds:g} s, so the trial was ended. Nothing was saved.",
            permanent=False,
        ) from err
    if error is not None:
        raise InferenceError(sentence(error), permanent=False) from error
    return value  # type: ignore[return-value]


def sentence(err: BaseException) -> str:
    """What went wrong, in words; a model's own exception with its name."""
    if isinstance(err, InferenceError | KafkaUnavailable):
        return redact_url(str(err))
    log.info("model failed when tried", exc_info=err)
    return redact_url(f"The model failed. {error_text(err)}")


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    value = call()
    return (time.perf_counter() - started) * 1000, value


def _median(call: Callable[[], object]) -> float:
    """Of five calls, or fewer when they take long."""
    until = time.monotonic() + REPEAT_SECONDS
    times = [_timed(call)[0]]
    while len(times) < REPEATS and time.monotonic() < until:
        times.append(_timed(call)[0])
    return median(times)


def _specs(tensors: Mapping[str, Tensor]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(name, datatype_of(tensor), tuple(tensor.shape))
        for name, tensor in tensors.items()
    )
