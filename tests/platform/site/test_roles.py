from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from sightline.site.roles import NICENESS, ROLES, worker_of


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_its_worker(role: str) -> None:
    worker = worker_of(role)

    assert worker.role == role
    assert worker.name.startswith(f"{role}-")


def test_the_video_comes_before_the_models() -> None:
    assert "capture" not in NICENESS
    assert NICENESS["infer"] > 0


def test_an_unknown_role_is_refused_with_those_there_are() -> None:
    with pytest.raises(CommandError, match=r"invalid choice: 'painter'.*capture"):
        call_command("runworkers", "painter")


@pytest.mark.django_db
def test_without_a_broker_capture_says_what_to_do(settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ""

    with pytest.raises(
        CommandError, match=r"start `manage\.py up`, or set KAFKA_BOOTSTRAP_SERVERS"
    ):
        call_command("runworkers", "capture")
