"""``manage.py runweb``: serve pages, streams and sockets."""

from __future__ import annotations

import os
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

END_SECONDS = 8.0
BEAT_SECONDS = 1.0
# The limit holds in both directions, so it must let the largest frame out; the front door
# refuses what is too large for a client to say.
MAX_MESSAGE_BYTES = settings.KAFKA_MAX_MESSAGE_BYTES + 64 * 1024


class Command(BaseCommand):
    help = "Serve the web pages, video streams and WebSockets with Daphne."

    def handle(self, *args: Any, **options: Any) -> None:
        # Importing Daphne's server installs Twisted's asyncio reactor, so only the process that
        # serves does it, and before anything else of Twisted.
        from daphne import server as _  # noqa: F401
        from daphne.endpoints import build_endpoint_description_strings
        from twisted.internet import reactor as installed

        from sightline.asgi import application
        from sightline.front_door.server import Server
        from sightline.telemetry import logs, tracing
        from streaming.hub.hub import stop_hub
        from streaming.system.web import web_reporter

        reactor: Any = installed  # its type is known only once Daphne has installed it
        server = Server(
            application,
            endpoints=build_endpoint_description_strings(host=settings.BIND, port=settings.PORT),
            ping_interval=20,
            ping_timeout=20,
            websocket_timeout=-1,
            websocket_max_message_size=MAX_MESSAGE_BYTES,
            application_close_timeout=2,
            server_name="",
            ready_callable=lambda: _beat(reactor),
        )
        reactor.addSystemEventTrigger("before", "shutdown", _force_exit_later)
        reporter = web_reporter()
        logs.identify(reporter.name)
        tracing.start(reporter.role, reporter.name)
        reporter.start()
        try:
            server.run()
        finally:
            reporter.stop()
            stop_hub()
            tracing.stop()
        if not server.listening_addresses:
            raise CommandError(
                f"Port {settings.PORT} of {settings.BIND} cannot be used: another program may be"
                " using it."
            )


def _beat(reactor: Any) -> None:
    """Record a heartbeat every second from the event loop, to show that it is not blocked."""
    from sightline.worker.worker import Heartbeat
    from streaming.system.web import web_operations

    heartbeat, operations = Heartbeat(), web_operations().start()

    def beat() -> None:
        heartbeat.beat()
        operations.pulse.beat()
        reactor.callLater(BEAT_SECONDS, beat)

    reactor.callWhenRunning(beat)


def _force_exit_later() -> None:
    """Exit after END_SECONDS even if a connection is still open."""
    timer = threading.Timer(END_SECONDS, os._exit, args=(1,))
    timer.daemon = True
    timer.start()
