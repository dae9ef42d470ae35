"""The ASGI application: Django for HTTP, the wall's socket for WebSockets."""

from __future__ import annotations

import os

import django
from django.core.handlers.asgi import ASGIHandler

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sightline.settings")
django.setup(set_prefix=False)

# Only after Django is set up can what uses its models be imported.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.http.response import HttpResponseBase  # noqa: E402

from sightline.urls import websocket_urlpatterns  # noqa: E402
from streaming.mjpeg.backpressure import holding_back  # noqa: E402
from streaming.system import health  # noqa: E402

PROBES = {"/healthz": health.healthz, "/readyz": health.readyz}


class Handler(ASGIHandler):
    """Django's handler. A frame leaves it in one piece. Probes address the process by its IP, so
    they are answered whatever the host.
    """

    chunk_size = 2**20

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer probes here, everything else as Django does."""
        if (probe := PROBES.get(request.path_info)) is not None:
            return await probe(request)
        return await super().get_response_async(request)


application = holding_back(
    ProtocolTypeRouter({"http": Handler(), "websocket": URLRouter(websocket_urlpatterns)})
)
