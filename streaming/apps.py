from __future__ import annotations

from django.apps import AppConfig


class StreamingConfig(AppConfig):
    """Stage 3: what Kafka holds, live in browsers."""

    name = "streaming"
    verbose_name = "Streaming"
