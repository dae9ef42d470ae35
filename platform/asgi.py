"""The ASGI application: Django for HTTP, the wall's socket for WebSockets."""

from __future__ import annotations

import os

import django
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sightline.settings")
django.setup(set_prefix=False)

# Only after Django is set up can what uses its models be imported.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from streaming.backpressure import holding_back  # noqa: E402
from streaming.routing import websocket_urlpatterns  # noqa: E402


class Handler(ASGIHandler):
    """Django's handler; a picture leaves it in one piece."""

    chunk_size = 2**20


application = holding_back(ProtocolTypeRouter({"http": Handler(), "websocket": URLRouter(websocket_urlpatterns)}))
