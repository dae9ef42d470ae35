"""A wrong setting ends the start with one sentence that names it, not with a traceback."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.conftest import HOME

WRONG = {
    "PORT": ("99999", "between 1 and 65535"),
    "DEBUG": ("maybe", "1 or 0"),
    "KAFKA_EMBEDDED": ("perhaps", "1 or 0"),
    "KAFKA_MAX_MESSAGE_BYTES": ("5", "between 65536 and"),
    "KAFKA_SECURITY_PROTOCOL": ("tls", "one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
    "FRAMES_RETENTION": ("soon", "whole number"),
    "CAPTURE_PARTITIONS": ("0", "between 1 and 10000"),
    "TOPIC_PREFIX": ("my cameras", "letters, digits"),
    "CAMERA_ALLOWED_NETWORKS": ("192.168.1.5/24", "networks such as"),
    "CREDENTIAL_KEYS": ("hunter2", "32 bytes"),
    "DATABASE_URL": ("mysqlite:hunter2", "a database's address"),
    "REDIS_URL": ("hunter2:6379", "redis://host"),
    "TIME_ZONE": ("Mars/Olympus", "a time zone's name"),
    "LOG_LEVEL": ("loud", "one of DEBUG, INFO"),
    "SECRET_KEY_FILE": ("/nowhere/key", "cannot be read"),
    "DATA_DIR": ("/proc/sightline", "cannot be made"),
}


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command,
        cwd=HOME,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, wanted = WRONG[name]
    monkeypatch.setenv(name, value)

    with pytest.raises(ImproperlyConfigured, match=rf"^{name}\b.*{re.escape(wanted)}") as caught:
        runpy.run_path(str(HOME / "platform" / "settings.py"))

    assert "hunter2" not in str(caught.value)


def test_nothing_else_is_said() -> None:
    done = manage("check", DATABASE_URL="mysqlite:hunter2")

    assert done.returncode == 1
    assert (
        done.stderr
        == "Sightline cannot start: DATABASE_URL must be a database's address such as postgres://user:password@host:5432/name.\n"
    )


def test_a_database_whose_network_broke_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user@db/name?connect_timeout=30&sslmode=require")

    options = runpy.run_path(str(HOME / "platform" / "settings.py"))["DATABASES"]["default"][
        "OPTIONS"
    ]

    assert (int(options["connect_timeout"]), options["tcp_user_timeout"], options["sslmode"]) == (
        30,
        5000,
        "require",
    )


def test_the_defaults_are_right(tmp_path: Path) -> None:
    done = manage("check", DATA_DIR=str(tmp_path / "new"))

    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "new").iterdir()} >= {"secret.key", "credential.key"}
    assert (tmp_path / "new" / "secret.key").stat().st_mode & 0o777 == 0o600


def test_the_data_is_its_owners_alone(tmp_path: Path) -> None:
    data, others = tmp_path / "data", tmp_path / "data" / "notes.txt"
    (data / "media" / "models").mkdir(parents=True)
    for path in (others, data / "sightline.sqlite3", data / "media" / "models" / "a.onnx"):
        path.touch()
        path.chmod(0o644)
    data.chmod(0o755)

    command = f"umask 022; {sys.executable} manage.py migrate -v0"
    subprocess.run(
        ["bash", "-c", command], cwd=HOME, env={**os.environ, "DATA_DIR": str(data)}, check=True
    )

    readable = {
        path.relative_to(data).as_posix() for path in data.rglob("*") if path.stat().st_mode & 0o077
    }
    assert readable == {"notes.txt"}  # not Sightline's, and behind the folder's door
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / "sightline.sqlite3").stat().st_size > 0
