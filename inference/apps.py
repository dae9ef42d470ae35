from __future__ import annotations

from django.apps import AppConfig


class InferenceConfig(AppConfig):
    """Stage 2: models see frames and say what is in them."""

    name = "inference"
    verbose_name = "Models"
