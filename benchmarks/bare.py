"""The rival of benchmarks.viewers: the least that a Daphne application can do to send a camera's
pictures to all who connect.

    python -m benchmarks.bare PORT BOOTSTRAP TOPIC

No login, no back-pressure, no frame rate, no width: every picture from Kafka goes to everyone,
as a multipart stream or in WebSocket messages.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import confluent_kafka
from daphne.server import Server
from twisted.internet import reactor as installed

# The wall's socket also says how the camera is, as often as it reports.
STATUS_EVERY = 10
STATUS = json.dumps(
    {
        "type": "status",
        "camera": "gate",
        "state": "live",
        "since": 10**18,
        "at": 10**18,
        "detail": "",
        "fps": 10.0,
        "codec": "demo",
    }
)

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class FrameSource:
    """The newest picture as both kinds of viewers get it; reading it is the same work as in
    Sightline.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bootstrap: str, topic: str) -> None:
        self.loop = loop
        self.seq = 0
        self.part = self.message = b""
        self.arrived: asyncio.Future[None] = loop.create_future()
        threading.Thread(target=self._read, args=(bootstrap, topic), daemon=True).start()

    def _read(self, bootstrap: str, topic: str) -> None:
        consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "bare", "fetch.wait.max.ms": 5}
        )
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, confluent_kafka.OFFSET_END)])
        while True:
            record = consumer.poll(0.05)
            if record is not None and record.error() is None:
                self.loop.call_soon_threadsafe(
                    self._publish, record.value() or b"", dict(record.headers() or ())
                )

    def _publish(self, jpeg: bytes, headers: dict[str, Any]) -> None:
        seq, captured_at = int(headers["seq"]), int(headers["captured_at"])
        self.seq = seq
        lines = (
            f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\nX-Timestamp:"
            f" {captured_at / 1e9:.6f}\r\nX-Frame-Seq: {seq}\r\n\r\n"
        )
        self.part = lines.encode() + jpeg + b"\r\n--frame\r\n"
        header = json.dumps(
            {
                "camera": "gate",
                "seq": seq,
                "captured_at": captured_at,
                "width": 1280,
                "height": 720,
                "sent_at": time.time_ns(),
            }
        ).encode()
        self.message = len(header).to_bytes(4, "big") + header + jpeg
        arrived, self.arrived = self.arrived, self.loop.create_future()
        arrived.set_result(None)


class Bare:
    """The application."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.where = bootstrap, topic
        self.source: FrameSource | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if self.source is None:
            self.source = FrameSource(asyncio.get_running_loop(), *self.where)
        await (self._stream if scope["type"] == "http" else self._socket)(
            self.source, receive, send
        )

    async def _stream(self, source: FrameSource, receive: Receive, send: Send) -> None:
        headers = [(b"Content-Type", b"multipart/x-mixed-replace; boundary=frame")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"--frame\r\n", "more_body": True})
        while True:
            await asyncio.shield(source.arrived)
            await send({"type": "http.response.body", "body": source.part, "more_body": True})

    async def _socket(self, source: FrameSource, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        listening = asyncio.ensure_future(self._listen(receive))
        while not listening.done():
            await asyncio.shield(source.arrived)
            await send({"type": "websocket.send", "bytes": source.message})
            if source.seq % STATUS_EVERY == 0:
                await send({"type": "websocket.send", "text": STATUS})

    async def _listen(self, receive: Receive) -> None:
        while (message := await receive())["type"] != "websocket.disconnect":
            if text := message.get("text"):
                json.loads(text)


def main() -> None:
    port, bootstrap, topic = sys.argv[1:]
    reactor: Any = installed
    del reactor
    Server(
        Bare(bootstrap, topic), endpoints=[f"tcp:port={port}:interface=127.0.0.1"], server_name=""
    ).run()


if __name__ == "__main__":
    main()
