"""Makes an ASGI ``send`` under Daphne wait until the client takes what was sent.

Daphne's own ``send`` never waits, so that a client who stops reading would grow the server's
memory without bound. Twisted tells a registered push producer when the connection's write buffer
is full and when it is empty again (twisted.internet.interfaces.IPushProducer). Under another
server, whose ``send`` waits by itself, nothing is changed.

The kernel's own buffer counts, too: it grows to megabytes, in which a slow client's frames
grow old. TCP_NOTSENT_LOWAT (tcp(7), Linux 3.12) bounds what waits there without having been
sent, whatever the line has on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from autobahn.exception import Disconnected

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

STALL_SECONDS = 600.0
# Two frames of usual size; what does not fit waits in this process, in copies.
MAX_UNSENT_BYTES = 256 * 1024


class Gate:
    """A push producer that can be waited for, by one task."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.full = False
        self._waiter: asyncio.Future[bool] | None = None

    def pauseProducing(self) -> None:  # noqa: N802
        """Called by Twisted: the write buffer is full."""
        self.full = True

    def resumeProducing(self) -> None:  # noqa: N802
        """Called by Twisted: the write buffer is empty."""
        self.full = False
        self._answer(True)

    def stopProducing(self) -> None:  # noqa: N802
        """Called by Twisted: the connection is lost."""
        self.resumeProducing()

    async def ready(self) -> bool:
        """Wait until there is room; False when there was none for STALL_SECONDS."""
        if not self.full:
            return True
        self._waiter = self.loop.create_future()
        timer = self.loop.call_later(STALL_SECONDS, self._answer, False)
        try:
            return await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _answer(self, room: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(room)


class SocketGate(Gate):
    """The gate of a WebSocket's transport, in the place of the HTTP channel that the connection
    began with.
    """

    def __init__(self, transport: Any) -> None:
        super().__init__()
        self.transport = transport

    def resumeProducing(self) -> None:  # noqa: N802
        """Called by Twisted: the write buffer is empty. A transport that is closing only closes
        once it has no producer.
        """
        super().resumeProducing()
        if self.transport.disconnecting:
            self.transport.unregisterProducer()


def holding_back(application: Application) -> Application:
    """The application, whose sends wait for the client."""

    async def held_back(scope: Scope, receive: Receive, send: Send) -> None:
        protocol = _daphne_protocol(send)
        if protocol is None:
            await application(scope, receive, send)
        elif scope["type"] == "http":
            await application(scope, receive, _http_send(protocol, send))
        elif scope["type"] == "websocket":
            await application(scope, receive, _socket_send(protocol, send))
        else:
            await application(scope, receive, send)

    return held_back


def _daphne_protocol(send: Send) -> Any:
    """Daphne's send is ``functools.partial(server.handle_reply, protocol)``."""
    if (
        isinstance(send, functools.partial)
        and getattr(send.func, "__name__", "") == "handle_reply"
        and send.args
    ):
        return send.args[0]
    return None


def _http_send(request: Any, send: Send) -> Send:
    gate: Gate | None = None

    async def held_send(message: Message) -> None:
        nonlocal gate
        if message["type"] != "http.response.body":
            await send(message)
            return
        more = message.get("more_body", False)
        if more and gate is None and _connected(request):
            gate = Gate()
            request.registerProducer(gate, True)
            _bound_unsent(request.channel.transport)
        if not more and gate is not None and _connected(request):
            request.unregisterProducer()
        await send(message)
        if more and gate is not None and not await gate.ready() and _connected(request):
            request.transport.abortConnection()

    return held_send


def _connected(request: Any) -> bool:
    """Whether the request still has its connection: Twisted drops ``channel`` when it is done or
    lost.
    """
    return (
        getattr(request, "channel", None) is not None
        and not request.finished
        and not request._disconnected
    )


def _socket_send(protocol: Any, send: Send) -> Send:
    gate: SocketGate | None = None

    async def held_send(message: Message) -> None:
        nonlocal gate
        if gate is not None and message["type"] == "websocket.close":
            protocol.transport.unregisterProducer()
        # A viewer may go between Daphne's look and the write; `websocket.disconnect` tells the
        # application.
        with contextlib.suppress(Disconnected):
            await send(message)
        if message["type"] == "websocket.accept" and protocol.transport.connected:
            gate = SocketGate(protocol.transport)
            protocol.transport.unregisterProducer()
            protocol.transport.registerProducer(gate, True)
            _bound_unsent(protocol.transport)
        elif gate is not None and message["type"] == "websocket.send" and not await gate.ready():
            protocol.transport.abortConnection()

    return held_send


def _bound_unsent(transport: Any) -> None:
    """Where the system can, and the connection is one of TCP."""
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    connection = transport.getHandle() if option and hasattr(transport, "getHandle") else None
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        # A connection that was reset meanwhile takes no options.
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, MAX_UNSENT_BYTES)
