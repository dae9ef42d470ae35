"""Daphne's server with our own connections."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from daphne import server as daphne_server
from daphne.http_protocol import HTTPFactory
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from sightline.front_door import limits
from sightline.front_door.channel import Channel
from sightline.front_door.request import Request
from streaming.wall.socket import CLOSE_TOO_LARGE, MAX_MESSAGE


class Factory(HTTPFactory):
    """Makes the connections, and counts them by address."""

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.addresses = limits.Addresses()
        self.timeOut = limits.IDLE_SECONDS

    def buildProtocol(self, addr: Any) -> Channel:
        """Called by Twisted: HTTP/1.1 is all that is spoken."""
        channel = Channel()
        channel.factory = self
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.timeOut
        return channel


class Socket(WebSocketProtocol):
    """A WebSocket whose messages are refused while they arrive."""

    release: Any = None
    failedByMe: bool

    def onMessageFrameBegin(self, length: int) -> None:
        """Called by Autobahn with the length that a frame says it has."""
        total = self.message_data_total_length + length
        if not self.failedByMe and total > MAX_MESSAGE:
            # From here on Autobahn throws away what comes of it.
            self.failedByMe = True
            self.sendCloseFrame(code=CLOSE_TOO_LARGE)
        super().onMessageFrameBegin(length)

    def connectionLost(self, reason: Any) -> None:
        """Called by Twisted."""
        if self.release is not None:
            self.release()
        super().connectionLost(reason)


class SocketFactory(WebSocketFactory):
    """Makes the WebSockets."""

    protocol = Socket


class Server(daphne_server.Server):
    """Daphne's server, which is given a Body as the queue of an HTTP request."""

    uploading = False

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Called by Daphne when a request begins."""
        if not isinstance(protocol, Request):
            return super().create_application(protocol, scope)
        if protocol not in self.connections:
            return None
        scope.setdefault("asgi", {"version": "3.0"})
        self.connections[protocol]["application_instance"] = asyncio.ensure_future(
            self.application(
                scope=scope,
                receive=protocol.body.get,
                send=partial(self.handle_reply, protocol),
            )
        )
        return protocol.body

    def run(self) -> None:
        """Serve, with our own connections in the place of Daphne's."""
        daphne_server.HTTPFactory = Factory
        daphne_server.WebSocketFactory = SocketFactory
        super().run()
