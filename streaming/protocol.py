"""The messages of the wall's socket: read strictly, written compactly."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sightline
from sightline.messages import CameraStatus, Frame, Prediction
from sightline.messages.json import parse

MIN_FPS, MAX_FPS = 0.1, 60.0
MIN_WIDTH, MAX_WIDTH = 16, 7680
MAX_CAMERAS = 512  # in one message


class RequestError(ValueError):
    """What the client sent is not understood; the message says what and why, in words for its
    developer.
    """

    def __init__(self, message: str, camera: str = "") -> None:
        super().__init__(message)
        self.camera = camera


@dataclass(frozen=True, slots=True)
class Watch:
    """Show me these cameras; at 0 fps tell me their states and those of their models, and send
    no frames or predictions.
    """

    cameras: tuple[str, ...]
    fps: float
    width: int


@dataclass(frozen=True, slots=True)
class Unwatch:
    """Show me this camera no more."""

    camera: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """I have this frame."""

    camera: str
    seq: int


@dataclass(frozen=True, slots=True)
class Painted:
    """I show this frame, whose header said that it is traced, since ``at``: ms since the epoch
    by the server's clock, as far as I know it.
    """

    camera: str
    seq: int
    at: float


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there? ``t`` is sent back as it is."""

    t: float


Request = Watch | Unwatch | Acknowledge | Painted | Ping


def read(text: str | None) -> Request:
    """A client's message; RequestError when it is not one."""
    try:
        document = parse(text or "")
    except (ValueError, RecursionError) as err:
        raise RequestError("Messages are JSON texts.") from err
    if not isinstance(document, dict):
        raise RequestError("Messages are JSON objects.")
    match document.get("type"):
        case "watch":
            return _watch(document)
        case "unwatch":
            return Unwatch(_camera(document))
        case "ack":
            return Acknowledge(_camera(document), _whole(document, "seq"))
        case "painted":
            return Painted(_camera(document), _whole(document, "seq"), _number(document, "at", 0))
        case "ping":
            return Ping(_number(document, "t", 0))
    raise RequestError("The type is watch, unwatch, ack, painted or ping.")


def _watch(document: dict[str, Any]) -> Watch:
    cameras = _cameras(document)
    fps, width = _number(document, "fps", 10), _number(document, "width", 640)
    if fps != 0 and not MIN_FPS <= fps <= MAX_FPS:
        raise RequestError(
            f"fps is between {MIN_FPS:g} and {MAX_FPS:g}, or 0 for states only.", cameras[0]
        )
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise RequestError(f"width is between {MIN_WIDTH} and {MAX_WIDTH}.", cameras[0])
    return Watch(cameras, fps, int(width))


def _cameras(document: dict[str, Any]) -> tuple[str, ...]:
    """One camera, or a list of them."""
    if "cameras" not in document:
        return (_camera(document),)
    cameras = document["cameras"]
    if not isinstance(cameras, list) or not 0 < len(cameras) <= MAX_CAMERAS:
        raise RequestError(f"cameras is a list of 1 to {MAX_CAMERAS} short names.")
    return tuple(_camera({"camera": camera}) for camera in cameras)


def _camera(document: dict[str, Any]) -> str:
    camera = document.get("camera")
    if (
        not isinstance(camera, str)
        or not 0 < len(camera) <= 63
        or not (camera.isascii() and camera.isprintable())
    ):
        raise RequestError("camera is the short name of a camera.")
    return camera


def _number(document: dict[str, Any], name: str, default: float) -> float:
    value = document.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
        raise RequestError(f"{name} is a number.")
    return value


def _whole(document: dict[str, Any], name: str) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError(f"{name} is a whole number.")
    return value


def write(kind: str, **fields: Any) -> str:
    """A message to the client."""
    return json.dumps({"type": kind, **fields}, separators=(",", ":"), allow_nan=False)


def hello() -> str:
    """The first message: the server's clock and version."""
    return write("hello", now=time.time_ns(), version=sightline.__version__)


def pong(ping: Ping) -> str:
    """The answer to a ping."""
    return write("pong", t=ping.t, now=time.time_ns())


def system(kafka: bool, detail: str) -> str:
    """Whether Kafka answers."""
    return write("system", kafka=kafka, detail=detail)


def error(message: str, camera: str = "") -> str:
    """What was wrong with a message."""
    return write("error", message=message, **({"camera": camera} if camera else {}))


def status(reported: CameraStatus) -> str:
    """A camera's state, as its capture worker reports it."""
    return _status(
        reported.camera, str(reported.state), reported.since, reported.at, reported.detail,
        reported.fps, reported.width, reported.height, reported.codec, reported.dropped,
        reported.cause,
    )  # fmt: skip


def unreported_status(camera: str, state: str, since: int, detail: str) -> str:
    """A state that the web process itself knows of."""
    return _status(camera, state, since, time.time_ns(), detail, 0.0, 0, 0, "", 0)


def _status(
    camera: str,
    state: str,
    since: int,
    at: int,
    detail: str,
    fps: float,
    width: int,
    height: int,
    codec: str,
    dropped: int,
    cause: str = "",
) -> str:
    return write(
        "status", camera=camera, state=state, since=since, at=at, detail=detail, cause=cause,
        fps=fps, width=width, height=height, codec=codec, dropped=dropped,
    )  # fmt: skip


def model(summary: Mapping[str, Any], cameras: Sequence[str]) -> str:
    """A model's state on some of the viewer's cameras."""
    return write("model", **summary, cameras=list(cameras))


def predictions(prediction: Prediction) -> str:
    """The detections on a frame.

    Written from the message, not passed through from Kafka: no unknown field reaches a browser,
    and NaN is refused with ValueError.
    """
    return write("predictions", **prediction.document())


def frame(source: Frame) -> bytes:
    """A frame: 4-byte big-endian length of the JSON header, the header, the JPEG."""
    header = json.dumps(
        {
            "camera": source.camera,
            "seq": source.seq,
            "captured_at": source.captured_at,
            "width": source.width,
            "height": source.height,
            "sent_at": time.time_ns(),
            **({"traced": True} if source.trace else {}),
        },
        separators=(",", ":"),
    ).encode()
    return b"".join((len(header).to_bytes(4, "big"), header, source.jpeg))
