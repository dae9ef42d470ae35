"""One HTTP request: it begins when its headers are complete; its body follows."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from daphne.http_protocol import WebRequest
from django.conf import settings

from sightline.front_door import limits, uploads
from sightline.front_door.body import Body

ROOT_PATH = b"Daphne-Root-Path"


class Request(WebRequest):
    """Daphne's request, whose body is a stream."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.begun = False
        self.most = limits.BODY_BYTES
        self.body = Body(self._pause, self._resume)
        self._check: asyncio.Task[None] | None = None
        self._uploading = False
        self._since_pause = 0

    def gotLength(self, length: int | None) -> None:
        """Called by Twisted. The body goes elsewhere."""
        self.content = io.BytesIO()

    def begin(self, method: bytes, uri: bytes, version: bytes) -> None:
        """The headers are complete."""
        self.begun = True
        self.args: dict[bytes, list[bytes]] = {}
        self.method, self.uri, self.clientproto = method, uri, version
        self.path = uri.split(b"?", 1)[0]
        length = self.channel.length
        is_large = length is None or length > limits.BODY_BYTES
        if is_large and uploads.is_upload(method, self.path):
            self._pause()
            self._check = asyncio.ensure_future(self._begin_upload())
        else:
            self.process()

    def handleContentChunk(self, data: bytes) -> None:
        """Called by Twisted: some of the body."""
        if self.finished or self.channel is None or self.channel.closing:
            return
        if self.body.received + len(data) > self.most and self._check is None:
            self.channel.refuse(413, limits.TOO_LARGE)
            return
        self.body.feed(data)
        if self._uploading:
            self._pace(len(data))

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Called by Twisted: the request is complete. No form is parsed here."""
        self.body.end()
        if not self.begun:
            self.begin(command, path, version)

    def process(self) -> Any:
        """Begin the application."""
        if not settings.PROXY_SETS_ROOT_PATH:
            self.requestHeaders.removeHeader(ROOT_PATH)
        if self.requestHeaders.hasHeader(b"Upgrade") and not self.body.complete:
            self.requestHeaders.removeHeader(b"Upgrade")
        channel, transport = self.channel, self.channel.transport
        super().process()
        if transport.protocol is not channel:
            transport.protocol.release = channel.release

    def finish(self) -> None:
        """Answered. What is left of the body is not wanted."""
        channel = self.channel
        if not self.body.complete and channel is not None:
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
            # Twisted would close at once, or read the rest as the next request.
            channel.loseConnection = channel.linger
            channel.persistent = False
        self._end_upload()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        """Called by Twisted."""
        self._end_upload()
        super().connectionLost(reason)

    async def _begin_upload(self) -> None:
        headers = [
            (name, value)
            for name, values in self.requestHeaders.getAllRawHeaders()
            for value in values
        ]
        may = await uploads.allowed(headers)
        self._check = None
        if self.channel is None or self._disconnected:
            return
        if not may:
            self.channel.refuse(413, limits.TOO_LARGE)
        elif self.server.uploading:
            self.channel.refuse(429, limits.UPLOADING)
        else:
            self._uploading = self.server.uploading = True
            self.most = uploads.limit()
            self.channel.uploads()
            self.process()
            self._resume()

    def _end_upload(self) -> None:
        if self._uploading:
            self._uploading = self.server.uploading = False

    def _pace(self, size: int) -> None:
        self._since_pause += size
        if self._since_pause >= limits.PACE_BYTES:
            self._since_pause = 0
            self._pause()
            self.channel.callLater(limits.PACE_SECONDS, self._resume)

    def _pause(self) -> None:
        self.channel._networkProducer.pauseProducing()

    def _resume(self) -> None:
        # Twisted takes the channel away from a request that is answered.
        if getattr(self, "channel", None) is not None and not self.channel._waitingForTransport:
            self.channel._networkProducer.resumeProducing()
