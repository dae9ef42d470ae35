from __future__ import annotations

from django.apps import AppConfig


class CamerasConfig(AppConfig):
    """Stage 1: cameras are registered, watched and read into Kafka."""

    name = "cameras"
    verbose_name = "Cameras"

    def ready(self) -> None:
        """Connect the receivers."""
        from cameras import signals  # noqa: F401
