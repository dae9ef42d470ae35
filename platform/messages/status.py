"""The states of cameras, models and workers, as the status topic holds them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from sightline.messages.json import counts, dump, load, parsing, typed


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
        """Whether frames are arriving."""
        return self in (
            CameraState.LIVE,
            CameraState.DEGRADED,
            CameraState.FROZEN,
            CameraState.BLACK,
        )


class Cause(StrEnum):
    """Why a camera gives no pictures: what somebody has to do depends on it, not on the state."""

    NAME_UNKNOWN = "name-unknown"
    NO_ANSWER = "no-answer"
    NO_ROUTE = "no-route"
    REFUSED = "refused"
    HUNG_UP = "hung-up"
    NO_TLS = "no-tls"
    UNTRUSTED = "untrusted"
    OTHER_PROTOCOL = "other-protocol"
    ADDRESS_REFUSED = "address-refused"
    NOT_ALLOWED = "not-allowed"
    NOT_FOUND = "not-found"
    REDIRECTED = "redirected"
    ERROR_ANSWER = "error-answer"
    NO_VIDEO = "no-video"
    OTHER_KIND = "other-kind"
    TOO_LARGE = "too-large"
    UNDECODABLE = "undecodable"
    NO_SIGNAL = "no-signal"
    SILENT = "silent"
    ENDED = "ended"
    ENDED_EARLY = "ended-early"
    LOGIN_REFUSED = "login-refused"
    LOGIN_MISSING = "login-missing"
    LOGIN_UNSENDABLE = "login-unsendable"
    LOGIN_UNSUPPORTED = "login-unsupported"
    FORBIDDEN = "forbidden"
    LOGIN_UNREADABLE = "login-unreadable"
    LOCAL = "local"
    NOT_PERMITTED = "not-permitted"
    UNEXPECTED = "unexpected"


class ModelState(StrEnum):
    """What a model version is doing in one worker."""

    LOADING = "loading"
    RUNNING = "running"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera's state as its capture worker reports it every second and on every change.

    ``fps`` is the rate of the last seconds; ``frames``, ``dropped`` and ``bytes_sent`` count
    since the worker took the camera. ``cause`` is a Cause, or empty: newer workers may name
    others.
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
    cause: str = ""

    @property
    def key(self) -> str:
        """The Kafka key in the status topic."""
        return f"camera/{self.camera}"

    def to_json(self) -> bytes:
        """The record's value. Without a cause it is as readers before this field know it."""
        document = asdict(self)
        if not self.cause:
            del document["cause"]
        return dump(document)

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
    since the worker took the model up: ``predicted``; ``failed``, which became dead letters (one a
    second while every frame fails); ``errors``, which got no answer because the model's server
    was away; ``skipped``, never given to the model. The latencies are those of the model's
    answers in the last seconds, in ms.
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
    value: no worker should run it any longer.
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
    """The key of a worker's states in the status topic. A record with this key and no value:
    it shut down cleanly.
    """
    return f"worker/{worker}"


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("a list of words is expected")
    return tuple(values)
