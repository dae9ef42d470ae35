from __future__ import annotations

import functools
from typing import Any

from autobahn.exception import Disconnected

from streaming.mjpeg.backpressure import (
    Message,
    Receive,
    Scope,
    Send,
    holding_back,
)


class Server:
    """Daphne's, whose connection is lost as it sends."""

    async def handle_reply(self, _protocol: object, message: Message) -> None:
        raise Disconnected(message["type"])


async def test_a_viewer_who_goes_while_a_message_is_sent_is_no_error() -> None:
    sent: list[Any] = []

    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in ({"type": "websocket.send", "bytes": b"frame"}, {"type": "websocket.close"}):
            await send(message)
            sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.disconnect"}

    await holding_back(application)(
        {"type": "websocket"}, receive, functools.partial(Server().handle_reply, object())
    )

    assert len(sent) == 2
