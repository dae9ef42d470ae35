from __future__ import annotations

from django.apps import AppConfig


class CamerasConfig(AppConfig):
    """Stage 1: cameras are registered, monitored and read into Kafka."""

    name = "cameras"
    verbose_name = "Cameras"

    def ready(self) -> None:
        from cameras import signals  # noqa: F401
