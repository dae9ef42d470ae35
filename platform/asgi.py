"""The ASGI application: Django for HTTP, the wall's socket for WebSockets."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sightline.settings")
django_application = get_asgi_application()

# Only after Django is set up can what uses its models be imported.
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from streaming.backpressure import holding_back  # noqa: E402
from streaming.routing import websocket_urlpatterns  # noqa: E402

application = holding_back(ProtocolTypeRouter({"http": django_application, "websocket": URLRouter(websocket_urlpatterns)}))
