"""A viewer of the wall that notes when it was told what: the eyes of the fault tests."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.servers.stack import Operator
from tests.servers.waiting import wait_until

Found = TypeVar("Found")
KEPT = 50_000
FRESH_SECONDS = 2.0
PLAIN: dict[str, Any] = {
    "max_size": None,
    "open_timeout": 5,
    "close_timeout": 1,
    "ping_interval": None,
    "proxy": None,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as it came: `at` in seconds of the monotonic clock, `captured_at` in seconds
    since the epoch, `age` in seconds.
    """

    camera: str
    at: float
    captured_at: float
    age: float
    seq: int
    width: int


@dataclass(frozen=True, slots=True)
class Told:
    """A text message as it came, decoded; `at` in seconds of the monotonic clock."""

    at: float
    message: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.message.get(name)


class Watcher:
    """Watches cameras over one WebSocket, acknowledges what it gets, and connects anew when the web
    went away. In a thread of its own.

    `frames` and `told` are all that came, oldest first. The methods that wait raise TimeoutError.
    """

    def __init__(
        self,
        operator: Operator,
        *cameras: str,
        fps: float = 30.0,
        width: int = 1920,
        port: int | None = None,
    ) -> None:
        """`port`: where to connect instead of the web's own port, such as a proxy's."""
        self.operator = operator
        self.cameras = cameras
        self.watch = {"type": "watch", "cameras": list(cameras), "fps": fps, "width": width}
        self.address = f"ws://127.0.0.1:{port or operator.url.rsplit(':', 1)[1]}/ws/wall/"
        self.frames: deque[Seen] = deque(maxlen=KEPT)
        self.told: deque[Told] = deque(maxlen=KEPT)
        self.connected_at: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def seen(self, camera: str, since: float = 0.0) -> list[Seen]:
        """The camera's pictures that came after `since` (monotonic)."""
        return [frame for frame in list(self.frames) if frame.camera == camera and frame.at > since]

    def messages(self, kind: str, since: float = 0.0, **fields: Any) -> list[Told]:
        """The messages of a type with these fields that came after `since` (monotonic)."""
        wanted = {"type": kind, **fields}.items()
        return [
            told for told in list(self.told) if told.at > since and wanted <= told.message.items()
        ]

    def wait_told(self, kind: str, since: float, timeout: float, **fields: Any) -> Told:
        """The first message of a type with these fields that came after `since`."""
        return self._first(
            lambda: self.messages(kind, since, **fields), timeout, f"{kind} {fields}"
        )

    def wait_state(self, camera: str, *states: str, since: float, timeout: float = 60.0) -> Told:
        """The first report of the camera in one of these states that came after `since`."""

        def reports() -> list[Told]:
            return [
                told
                for told in self.messages("status", since, camera=camera)
                if told["state"] in states
            ]

        return self._first(reports, timeout, f"{camera} to be {' or '.join(states)}")

    def wait_kafka(self, reachable: bool, since: float, timeout: float = 60.0) -> Told:
        """The banner that says that Kafka does not answer, or its end."""
        return self.wait_told("system", since, timeout, kafka=reachable)

    def wait_fresh(
        self, camera: str, since: float, timeout: float = 60.0, age: float = FRESH_SECONDS
    ) -> Seen:
        """The first picture that came after `since` and was younger than `age` seconds then."""

        def fresh() -> list[Seen]:
            # Captured after `since`, too: what was held back on the way is no proof of life.
            moment = time.time() - (time.monotonic() - since)
            return [
                frame
                for frame in self.seen(camera, since)
                if frame.age < age and frame.captured_at > moment
            ]

        return self._first(fresh, timeout, f"a fresh picture of {camera}")

    def rate(self, camera: str, since: float, until: float | None = None) -> float:
        """Pictures a second between two moments (monotonic)."""
        until = time.monotonic() if until is None else until
        return sum(frame.at <= until for frame in self.seen(camera, since)) / (until - since)

    def dropped(self, camera: str) -> int:
        """How many pictures the camera's capture worker has lost, by its newest report."""
        reports = [told for told in self.messages("status", camera=camera) if told["codec"]]
        return int(reports[-1]["dropped"]) if reports else 0

    def _first(self, find: Callable[[], list[Found]], timeout: float, what: str) -> Found:
        return wait_until(find, timeout, what)[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._thread.join(15)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self.address, additional_headers=self._headers(), **PLAIN) as socket:
                    self._follow(socket)
            except (OSError, WebSocketException, TimeoutError):
                self._stopping.wait(0.2)

    def _headers(self) -> dict[str, str]:
        return {
            "Cookie": f"sessionid={self.operator.session.cookies['sessionid']}",
            "Origin": self.address.replace("ws://", "http://").split("/ws/")[0],
        }

    def _follow(self, socket: ClientConnection) -> None:
        self.connected_at.append(time.monotonic())
        socket.send(json.dumps(self.watch))
        for message in self._messages(socket):
            if isinstance(message, bytes):
                frame = _seen(message)
                self.frames.append(frame)
                socket.send(json.dumps({"type": "ack", "camera": frame.camera, "seq": frame.seq}))
            else:
                self.told.append(Told(time.monotonic(), json.loads(message)))

    def _messages(self, socket: ClientConnection) -> Iterator[str | bytes]:
        while not self._stopping.is_set():
            try:
                yield socket.recv(timeout=0.5)
            except TimeoutError:
                continue


def _seen(message: bytes) -> Seen:
    length = int.from_bytes(message[:4], "big")
    header = json.loads(message[4 : 4 + length])
    captured_at = header["captured_at"] / 1e9
    return Seen(
        header["camera"],
        time.monotonic(),
        captured_at,
        time.time() - captured_at,
        header["seq"],
        header["width"],
    )
