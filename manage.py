#!/usr/bin/env python
"""Starts Django's and Sightline's commands: ``manage.py help``."""

from __future__ import annotations

import os
import sys

from sightline.base.process import prepare


def main() -> None:
    prepare()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sightline.settings")
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        settings.INSTALLED_APPS  # noqa: B018 - reads the settings
    except ImproperlyConfigured as err:
        sys.exit(f"Sightline cannot start: {err}")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
