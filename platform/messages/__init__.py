"""What travels through Kafka: dataclasses and their bytes and headers.

Times are integers, nanoseconds since the epoch. A frame is identified by ``(seq, captured_at)``:
``seq`` starts again when a capture worker starts again, ``captured_at`` never repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from sightline.messages.json import (
    NUMBERS,
    MessageError,
    counts,
    dump,
    load,
    parsing,
    typed,
    without_none,
)
from sightline.telemetry import tracing

Headers = dict[str, bytes]
Box = tuple[float, float, float, float]


class CameraState(StrEnum):
    """What a camera is doing, as the wall shows it."""

    CONNECTING = "connecting"
    LIVE = "live"
    DEGRADED = "degraded"
    STALLED = "stalled"
    FROZEN = "frozen"
    BLACK = "black"
    AUTH_FAILED = "auth-failed"
    UNREACHABLE = "unreachable"
    DISABLED = "disabled"

    @property
    def watchable(self) -> bool:
        """Whether pictures are arriving."""
        return self in (
            CameraState.LIVE,
            CameraState.DEGRADED,
            CameraState.FROZEN,
            CameraState.BLACK,
        )


class ModelState(StrEnum):
    """What a model version is doing in one worker."""

    LOADING = "loading"
    RUNNING = "running"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a camera; ``captured_at`` is the moment it left the camera's decoder,
    ``offset`` its place in the frames topic, ``trace`` the span that others belong under, of a
    picture that is traced.
    """

    camera: str
    seq: int
    captured_at: int
    width: int
    height: int
    jpeg: bytes
    offset: int = -1
    trace: str = ""

    @property
    def ref(self) -> FrameRef:
        """The frame without its picture."""
        return FrameRef(self.seq, self.captured_at, self.width, self.height, self.offset)

    def headers(self) -> Headers:
        """The Kafka headers: decimal numbers as text, so that any tool can read them."""
        values = {
            "seq": self.seq,
            "captured_at": self.captured_at,
            "width": self.width,
            "height": self.height,
        }
        traced = {tracing.HEADER: self.trace} if self.trace else {}
        return {name: str(value).encode() for name, value in (values | traced).items()}

    @classmethod
    def from_record(
        cls, camera: str, value: bytes | None, headers: Mapping[str, bytes], offset: int
    ) -> Self:
        """Read a record of a frames topic; MessageError when a header is missing or wrong, or
        there is no picture.
        """
        if not value:
            raise MessageError("the record has no picture")
        try:
            seq, captured_at, width, height = (
                int(headers[name]) for name in ("seq", "captured_at", "width", "height")
            )
        except (KeyError, ValueError) as err:
            raise MessageError(f"the frame's headers are incomplete: {err}") from err
        return cls(
            camera, seq, captured_at, width, height, value, offset, tracing.parent_in(headers)
        )


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Which frame a prediction belongs to."""

    seq: int
    captured_at: int
    width: int
    height: int
    offset: int


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing a model saw: ``score`` in 0..1, ``box`` as x0, y0, x1, y1 in 0..1 of the
    picture's width and height.
    """

    label: str
    score: float
    box: Box | None = None
    text: str | None = None
    track: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """When a frame was read from Kafka, when the model began with it and when it was done."""

    consumed_at: int
    started_at: int
    finished_at: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model version says about one frame; ``role`` is "live" or "shadow"."""

    camera: str
    model: str
    version: str
    role: str
    frame: FrameRef
    predictions: tuple[Detection, ...]
    timing: Timing

    @property
    def key(self) -> str:
        """The Kafka key: ``model@version``."""
        return f"{self.model}@{self.version}"

    def to_json(self) -> bytes:
        """The record's value; absent fields of a detection are left out."""
        document = asdict(self)
        document["predictions"] = [without_none(item) for item in document["predictions"]]
        return dump(document)

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Read a record of a predictions topic; MessageError when it is not one."""
        document = load(value)
        with parsing("a prediction"):
            document["frame"] = typed(FrameRef(**document["frame"]))
            document["timing"] = typed(Timing(**document["timing"]))
            document["predictions"] = tuple(_detection(item) for item in document["predictions"])
            return typed(cls(**document))


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera's state as its capture worker reports it every second and on every change.

    ``fps`` is the rate of the last seconds; ``frames``, ``dropped`` and ``bytes_sent`` count
    since the worker took the camera.
    """

    camera: str
    state: CameraState
    since: int
    at: int
    detail: str = ""
    fps: float = 0.0
    width: int = 0
    height: int = 0
    codec: str = ""
    frames: int = 0
    dropped: int = 0
    bytes_sent: int = 0
    worker: str = ""

    @property
    def key(self) -> str:
        """The Kafka key in the status topic."""
        return f"camera/{self.camera}"

    def to_json(self) -> bytes:
        """The record's value."""
        return dump(asdict(self))

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Read a ``camera/...`` record of the status topic; MessageError when it is not one."""
        document = load(value)
        with parsing("a camera's status"):
            document["state"] = CameraState(document["state"])
            return typed(cls(**document))


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model version's state as the worker that runs it reports it every second and on every
    change.

    ``cameras`` are those whose frames this worker gives it. Counts are of frames (or records)
    since the worker took the model up: ``predicted``; ``failed``, which became dead letters (of
    pictures that fail one after the other, one a second); ``errors``, which got no answer
    through no fault of their own, because the model's server was away; ``skipped``, never looked
    at. The latencies are those of the model's answers in the last seconds, in ms.
    """

    model: str
    version: str
    state: ModelState
    since: int
    at: int
    detail: str = ""
    cameras: tuple[str, ...] = ()
    predicted: int = 0
    failed: int = 0
    skipped: int = 0
    errors: int = 0
    latency_p50: float = 0.0
    latency_p95: float = 0.0
    worker: str = ""

    @property
    def key(self) -> str:
        """The Kafka key in the status topic."""
        return model_key(self.model, self.version)

    def to_json(self) -> bytes:
        """The record's value."""
        return dump(asdict(self))

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Read a ``model/...`` record of the status topic; MessageError when it is not one."""
        document = load(value)
        with parsing("a model's status"):
            document["state"] = ModelState(document["state"])
            document["cameras"] = _words(document["cameras"])
            return typed(cls(**document))


def model_key(model: str, version: str) -> str:
    """The key of a model version's states in the status topic. A record with this key and no
    value: no worker should run it any more.
    """
    return f"model/{model}@{version}"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker's state, every second; ``counters`` are totals since its start, ``memory`` its
    resident set in bytes.
    """

    worker: str
    role: str
    pid: int
    host: str
    started_at: int
    at: int
    memory: int
    counters: dict[str, int]

    @property
    def key(self) -> str:
        """The Kafka key in the status topic."""
        return worker_key(self.worker)

    def to_json(self) -> bytes:
        """The record's value."""
        return dump(asdict(self))

    @classmethod
    def from_json(cls, value: bytes | None) -> Self:
        """Read a ``worker/...`` record of the status topic; MessageError when it is not one."""
        document = load(value)
        with parsing("a worker's status"):
            document["counters"] = counts(document["counters"])
            return typed(cls(**document))


def worker_key(worker: str) -> str:
    """The key of a worker's states in the status topic. A record with this key and no value: it
    ended in good order.
    """
    return f"worker/{worker}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input that could not be processed: where it came from and why. The record's key and
    value travel beside it, unchanged.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    group: str
    model: str
    version: str
    error: str
    message: str
    stacktrace: str
    attempt: int = 1

    MESSAGE_LIMIT = 1024
    STACKTRACE_LIMIT = 8 * 1024

    def headers(self) -> Headers:
        """The ``dlt-*`` headers; the message is cut to its first KiB, the stack trace to its
        last 8 KiB.
        """
        values = {
            "original-topic": self.topic,
            "original-partition": self.partition,
            "original-offset": self.offset,
            "original-timestamp": self.timestamp,
            "consumer-group": self.group,
            "exception-fqcn": self.error,
            "exception-message": _utf8(self.message)[: self.MESSAGE_LIMIT].decode(errors="ignore"),
            "model": self.model,
            "version": self.version,
            "delivery-attempt": self.attempt,
        }
        headers = {f"dlt-{name}": str(value).encode() for name, value in values.items()}
        headers["dlt-exception-stacktrace"] = (
            _utf8(self.stacktrace)[-self.STACKTRACE_LIMIT :].decode(errors="ignore").encode()
        )
        return headers


def _utf8(text: str) -> bytes:
    """The text of a foreign exception, which may hold what UTF-8 cannot."""
    return text.encode(errors="backslashreplace")


def _detection(item: Mapping[str, Any]) -> Detection:
    box = item.get("box")
    return typed(Detection(**{**item, "box": None if box is None else _box(box)}))


def _box(values: Any) -> Box:
    x0, y0, x1, y1 = values
    if not all(type(value) in NUMBERS for value in values):
        raise TypeError("a box is four numbers")
    return float(x0), float(y0), float(x1), float(y1)


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list of words is expected")
    return tuple(values)
