"""`manage.py prepare`: what a release does to the database before its processes start."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from pytest_django import Settings

from cameras.models import Camera
from tests.servers.ports import free_port

HOME = Path(__file__).parents[3]
SECRET = "never-seen-7"


def prepare(**options: object) -> str:
    out = io.StringIO()
    call_command("prepare", stdout=out, **options)
    return out.getvalue()


def run(database: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DATABASE_URL": database, "DATA_DIR": str(folder)}
    command = [sys.executable, "manage.py", "prepare", "--wait", "0", *arguments]
    return subprocess.run(
        command, cwd=HOME, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.django_db
def test_the_first_user_is_made_once(settings: Settings) -> None:
    settings.ADMIN_PASSWORD = "chosen at the start"

    assert "Made the user admin." in prepare(demo=True)
    assert "Made" not in prepare(demo=True)
    assert User.objects.get(username="admin").check_password("chosen at the start")
    assert Camera.objects.get().slug == "conveyor"


@pytest.mark.django_db
def test_without_a_password_there_is_no_user(settings: Settings) -> None:
    settings.ADMIN_PASSWORD = ""

    assert "createsuperuser" in prepare()
    assert not User.objects.exists()


@pytest.mark.slow
def test_a_later_process_waits_until_the_database_is_of_its_release(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'one.sqlite3'}"
    too_early = run(database, tmp_path, "--await")
    assert too_early.returncode == 1
    assert "nobody has run `manage.py prepare`" in too_early.stderr

    assert run(database, tmp_path).returncode == 0
    assert run(database, tmp_path, "--await").returncode == 0


@pytest.mark.slow
def test_a_database_that_is_away_is_said_to_be_so_without_its_password(tmp_path: Path) -> None:
    done = run(f"postgres://sightline:{SECRET}@127.0.0.1:{free_port()}/sightline", tmp_path)
    assert done.returncode == 1
    assert "The database does not let us in: connection failed" in done.stderr
    assert SECRET not in done.stdout + done.stderr
