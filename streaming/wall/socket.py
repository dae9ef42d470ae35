"""The wall's WebSocket: reads what the client wants, asks whether it may, and leaves the sending
to streaming.wall.session.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from cameras.access import visible_cameras
from cameras.models import Camera
from streaming import protocol
from streaming.hub.hub import hub
from streaming.protocol import (
    Acknowledge,
    Painted,
    Ping,
    RequestError,
    Unwatch,
    Watch,
)
from streaming.visitors import origins
from streaming.visitors.places import sockets
from streaming.visitors.visitor import DatabaseUnavailable, Visitor, in_database
from streaming.wall.rate_limit import RateLimit
from streaming.wall.session import Wall

log = logging.getLogger(__name__)

MAX_MESSAGE = 64 * 1024
MAX_TILES = 256
MAX_STATES = 2048
MESSAGES_A_SECOND = 20.0
MESSAGES_AT_ONCE = (
    160.0  # a wall of 64 tiles asks for all of them at once, and again when it is resized
)
ACKNOWLEDGEMENTS_A_SECOND = 2000.0

# Daphne sends codes of 3000 and above only; these are HTTP's, plus 4000.
CLOSE_TOO_MUCH = 4429
CLOSE_TOO_LARGE = 4413
CLOSE_FAILED = 4500
CLOSE_LOGGED_OUT = 4401
# The user has SOCKETS_PER_USER open; the page says so in words.
CLOSE_TOO_MANY = 4409

NOT_YOURS = "You have no permission to see this camera, or it does not exist."


class WallConsumer(AsyncWebsocketConsumer):
    """One viewer's socket."""

    def __init__(self) -> None:
        super().__init__()
        self.visitor = Visitor()
        self.wall: Wall | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.place = contextlib.ExitStack()
        self.messages = RateLimit(MESSAGES_A_SECOND, MESSAGES_AT_ONCE)
        self.acknowledgements = RateLimit(ACKNOWLEDGEMENTS_A_SECOND, ACKNOWLEDGEMENTS_A_SECOND)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket until it is closed.

        Channels' own loop listens to a channel layer too, at the price of a task and a change of
        thread for each message. Frames never travel through a channel layer, and its failures
        do not concern us.
        """
        self.scope, self.base_send = scope, send
        try:
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        finally:
            self._end()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Act on what the server says."""
        match message["type"]:
            case "websocket.connect":
                await self.connect()
            case "websocket.receive":
                await self.receive(message.get("text"), message.get("bytes"))
            case "websocket.disconnect":
                raise StopConsumer

    async def connect(self) -> None:
        """Accept logged-in users on our own pages, and clients with a token."""
        headers = self.scope["headers"]
        self.visitor = Visitor.of_headers(headers)
        by_token = origins.absent(headers) and self.visitor.token is not None
        if not by_token and not origins.allowed(headers):
            await self.close()
            return
        user = await in_database(self.visitor.user)
        if by_token and not user.is_authenticated:
            await self.close()
            return
        await self.accept()
        if not user.is_authenticated:
            await self.close(CLOSE_LOGGED_OUT)
            return
        if not sockets.are_left(user.pk):
            await self.close(CLOSE_TOO_MANY)
            return
        self.place.enter_context(sockets.held(user.pk))
        self.wall = Wall(hub(), self._send_text, self._send_bytes)
        self.tasks = [
            asyncio.create_task(self._supervised(coroutine))
            for coroutine in (self.wall.run(), self._recheck())
        ]

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Serve a client's message. Answer one that is not understood with an error; close the
        socket on too many or too large ones.
        """
        if self.wall is None:
            return
        if len(text_data or bytes_data or "") > MAX_MESSAGE:
            await self._quit(CLOSE_TOO_LARGE)
            return
        try:
            request = protocol.read(text_data)
        except RequestError as err:
            if await self._within(self.messages):
                self.wall.reply(protocol.error(str(err), err.camera))
            return
        limit = (
            self.acknowledgements if isinstance(request, Acknowledge | Painted) else self.messages
        )
        if await self._within(limit):
            await self._serve(self.wall, request)

    async def _within(self, limit: RateLimit) -> bool:
        if limit.take(time.monotonic()):
            return True
        await self._quit(CLOSE_TOO_MUCH)
        return False

    async def _serve(self, wall: Wall, request: protocol.Request) -> None:
        match request:
            case Acknowledge(camera, seq):
                wall.acknowledge(camera, seq)
            case Painted(camera, seq, at):
                wall.painted(camera, seq, int(at * 1e6))
            case Watch():
                await self._watch(wall, request)
            case Unwatch(camera):
                wall.unwatch(camera)
            case Ping():
                wall.reply(protocol.pong(request))

    async def _watch(self, wall: Wall, request: Watch) -> None:
        try:
            enabled = await in_database(self.visitor.cameras, request.cameras)
        except DatabaseUnavailable as err:
            wall.reply(protocol.error(str(err), request.cameras[0]))
            return
        for camera in request.cameras:
            if camera not in enabled:
                wall.reply(protocol.error(NOT_YOURS, camera))
                wall.revoke(camera, "forbidden", NOT_YOURS)
            elif not self._has_room(wall, camera, frames=request.fps > 0):
                wall.reply(
                    protocol.error(
                        f"A wall has {MAX_TILES} tiles and follows {MAX_STATES} cameras at most.",
                        camera,
                    )
                )
                return
            else:
                wall.watch(camera, request.fps, request.width, enabled=enabled[camera])

    def _has_room(self, wall: Wall, camera: str, *, frames: bool) -> bool:
        tile = wall.tiles.get(camera)
        if tile is None and len(wall.tiles) >= MAX_STATES:
            return False
        if not frames or (tile is not None and tile.limiter is not None):
            return True
        return sum(tile.limiter is not None for tile in wall.tiles.values()) < MAX_TILES

    async def _recheck(self) -> None:
        """Check regularly whether the viewer may still see its cameras."""
        while True:
            await asyncio.sleep(settings.RECHECK_SECONDS)
            assert self.wall is not None
            watched = set(self.wall.tiles)
            try:
                standing = await in_database(_standing, self.visitor, watched)
            except DatabaseUnavailable:
                continue  # the video goes on meanwhile
            if standing is None:
                await self._quit(CLOSE_LOGGED_OUT)
                return
            self._apply(self.wall, watched, *standing)

    def _apply(
        self, wall: Wall, watched: set[str], enabled: dict[str, bool], existing: set[str]
    ) -> None:
        for camera in watched:
            if camera not in existing:
                wall.revoke(camera, "deleted", "This camera was removed.")
            elif camera not in enabled:
                wall.revoke(camera, "forbidden", NOT_YOURS)
            elif camera in wall.tiles:
                wall.tiles[camera].enabled = enabled[camera]

    async def _supervised(self, coroutine: Any) -> None:
        try:
            await coroutine
        except Exception:
            log.exception("wall socket failed")
            await self.close(CLOSE_FAILED)

    async def _quit(self, code: int) -> None:
        self._end()
        await self.close(code)

    def _end(self) -> None:
        self.place.close()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self.tasks = []
        if self.wall is not None:
            self.wall.close()
            self.wall = None

    async def _send_text(self, text: str) -> None:
        await self.base_send({"type": "websocket.send", "text": text})

    async def _send_bytes(self, data: bytes) -> None:
        await self.base_send({"type": "websocket.send", "bytes": data})


def _standing(visitor: Visitor, cameras: set[str]) -> tuple[dict[str, bool], set[str]] | None:
    """Of ``cameras``: those that the visitor may see, with whether they are enabled, and those
    that exist. None when logged out.
    """
    user = visitor.user()
    if not user.is_authenticated:
        return None
    enabled = dict(visible_cameras(user).filter(slug__in=cameras).values_list("slug", "enabled"))
    existing = set(Camera.objects.filter(slug__in=cameras).values_list("slug", flat=True))
    return enabled, existing
