"""The WebSockets."""

from __future__ import annotations

from channels.security.websocket import WebsocketDenier
from django.urls import path, re_path

from streaming.consumers import WallConsumer

websocket_urlpatterns = [
    path("ws/wall/", WallConsumer.as_asgi()),
    # Without it the router raises, which the log would show as our fault.
    re_path("", WebsocketDenier.as_asgi()),
]
