"""What the page says of the database, Redis and the disk; all of them real."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db.utils import ConnectionHandler
from pytest_django import Settings

from streaming.system import stores
from streaming.system.parts import Level
from tests.servers.ports import free_port
from tests.servers.redis import RedisServer


@pytest.mark.django_db
def test_a_database_tells_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_applied_at", float("-inf"))
    part = stores.database()

    assert part.level is Level.OK
    assert dict(part.facts)["Kind"].startswith("SQLite 3.")


def test_an_empty_database_wants_its_migrations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: object
) -> None:
    monkeypatch.setattr(stores, "_applied_at", float("-inf"))
    handler = ConnectionHandler(
        {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(tmp_path / "empty.sqlite3"),
            }
        }
    )
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        part = stores.database(handler["default"])
        handler["default"].close()

    assert part.level is Level.BAD
    assert (
        "migrations are not applied: pages may fail. Run: manage.py migrate"
        in f"{part.findings[0].text} {part.findings[0].command}"
    )


def test_a_database_that_is_away_is_said_to_be(django_db_blocker: object) -> None:
    away = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "NAME": "x",
        "USER": "u",
        "PASSWORD": "s3cret",
    }
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        part = stores.database(ConnectionHandler({"default": away})["default"])

    assert part == stores.database_away()
    assert part.level is Level.BAD


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis") / "redis.log") as server:
        yield server


def test_redis_tells_its_version(redis_server: RedisServer, settings: Settings) -> None:
    settings.REDIS_URL = redis_server.url
    part = stores.redis()

    assert part.level is Level.OK
    assert dict(part.facts)["Version"][0].isdigit()


def test_redis_that_is_away_is_said_to_be(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://:s3cret@127.0.0.1:{free_port()}/0"
    part = stores.redis()

    assert (part.level, part.words) == (Level.BAD, stores.REDIS_AWAY)
    assert "s3cret" not in repr(part)


@pytest.mark.parametrize(
    ("free", "level"), [(0.5, Level.OK), (0.09, Level.WARN), (0.019, Level.BAD)]
)
def test_a_disk_that_fills_up_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, level: Level
) -> None:
    usage = shutil._ntuple_diskusage(100_000_000_000, 0, int(100_000_000_000 * free))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert stores.disk(tmp_path).level is level
