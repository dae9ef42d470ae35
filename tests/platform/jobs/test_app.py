from __future__ import annotations

from django.conf import settings

import sightline
from sightline.jobs.app import app


def test_the_application_is_bound_to_the_import_name() -> None:
    assert sightline.app is app


def test_what_is_scheduled_exists() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_without_redis_tasks_travel_through_files() -> None:
    assert app.conf.broker_url == "filesystem://"
    assert app.conf.broker_transport_options["data_folder_in"].startswith(str(settings.DATA_DIR))
