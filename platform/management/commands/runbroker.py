from __future__ import annotations

import asyncio
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sightline.kafka import broker


class Command(BaseCommand):
    help = (
        "Run the embedded broker: Kafka's protocol, in memory, for one machine. `manage.py up`"
        " starts it when no Kafka is configured."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("port", type=int, help="where clients find it, on 127.0.0.1")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(broker.serve(options["port"]))
        except OSError as err:
            raise CommandError(
                f"Port {options['port']} cannot be used: {err.strerror or err}."
            ) from err
