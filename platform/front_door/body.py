"""A request's body on its way from the connection to the ASGI application."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from sightline.front_door.limits import WAITING_BYTES

Message = dict[str, Any]


class Body:
    """The application's ``receive``. It holds WAITING_BYTES, and one read of the connection more:
    ``pause`` is called when that is full, ``resume`` when it is empty.
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self.received = 0
        self.complete = False
        self._pause = pause
        self._resume = resume
        self._messages: deque[Message] = deque()
        self._waiting = 0
        self._paused = False
        self._arrived = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """Some bytes came."""
        self.received += len(data)
        self._waiting += len(data)
        self._put({"type": "http.request", "body": data, "more_body": True})
        if self._waiting > WAITING_BYTES and not self._paused:
            self._paused = True
            self._pause()

    def end(self) -> None:
        """The last byte has come."""
        self.complete = True
        self._put({"type": "http.request", "body": b"", "more_body": False})

    def put_nowait(self, message: Message) -> None:
        """Called by Daphne, whose own ``http.request`` speaks of an empty file."""
        if message["type"] == "http.disconnect":
            self._put(message)

    async def get(self) -> Message:
        """The next message."""
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._waiting -= len(message.get("body", b""))
        if self._paused and not self._messages:
            self._paused = False
            self._resume()
        return message

    def _put(self, message: Message) -> None:
        self._messages.append(message)
        self._arrived.set()
