"""A viewer's end of the wall's socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from channels.testing import WebsocketCommunicator

ORIGIN = (b"origin", b"http://testserver")
HOST = (b"host", b"testserver")


class Socket:
    """A viewer's end of the wall's socket."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        from sightline.asgi import application

        self.communicator = WebsocketCommunicator(application, "/ws/wall/", headers=list(headers))
        self.frames: list[dict[str, Any]] = []
        self.pictures: list[bytes] = []

    async def open(self) -> bool:
        connected, _ = await self.communicator.connect(timeout=5)
        return bool(connected)

    async def send(self, **message: Any) -> None:
        await self.communicator.send_to(text_data=json.dumps(message))

    async def next(self, seconds: float = 5) -> dict[str, Any]:
        """The next message as JSON; a picture's header as type "frame"."""
        # The communicator's own method would cancel the application when nothing came.
        async with asyncio.timeout(seconds):
            event = await self.communicator.output_queue.get()
        if event["type"] == "websocket.close":
            return {"type": "closed", "code": event.get("code")}
        if event.get("text"):
            message: dict[str, Any] = json.loads(event["text"])
            return message
        data = event["bytes"]
        length = int.from_bytes(data[:4], "big")
        self.pictures.append(data[4 + length :])
        return {"type": "frame", **json.loads(data[4 : 4 + length])}

    async def until(
        self, again: Callable[[], Any] | None = None, *, type: str, **fields: Any
    ) -> dict[str, Any]:
        """The next message of that type with these fields."""
        for _ in range(400):
            if again is not None:
                again()
            try:
                message = await self.next(0.1 if again else 5)
            except TimeoutError:
                continue
            if message["type"] == type and all(
                message.get(name) == value for name, value in fields.items()
            ):
                return message
            assert message["type"] != "closed", message
        raise AssertionError(f"no {type} {fields} came")

    async def close(self) -> None:
        await self.communicator.disconnect()
