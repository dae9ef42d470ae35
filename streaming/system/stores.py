"""Where things are kept: the database, Redis, the disk."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from redis import Redis, RedisError

from streaming.system.parts import Finding, Level, Part, plural, size

SLOW_SECONDS: Final = 0.5
MIGRATIONS_SECONDS: Final = 60.0
REDIS_SECONDS: Final = 2.0
LOW_SHARE: Final = 0.10
FULL_SHARE: Final = 0.02

DATABASE_AWAY: Final = (
    "The database does not answer. Pictures and predictions go on; logging in and changes do not."
)
REDIS_AWAY: Final = "Redis does not answer: jobs wait until it is back."


def database(wrapper: BaseDatabaseWrapper | None = None) -> Part:
    """Ask the database; of a database that does not answer, the part says so."""
    database_connection = wrapper or connection
    started = time.monotonic()
    try:
        with database_connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        answered = time.monotonic() - started
        facts, pending = _facts(database_connection, answered), _pending(database_connection)
    except DatabaseError:
        return database_away()
    findings = []
    if pending:
        text = f"{plural(pending, 'migration is', 'migrations are')} not applied: pages may fail."
        findings.append(Finding(Level.BAD, text, "Run: manage.py migrate"))
    if answered > SLOW_SECONDS:
        findings.append(
            Finding(Level.WARN, f"The database takes {answered:.1f} s for the simplest answer.")
        )
    return Part(
        "database",
        "Database",
        f"Answers in {answered * 1000:.0f} ms.",
        facts,
        tuple(findings),
    )


def database_away() -> Part:
    """The part about a database that does not answer."""
    return Part(
        "database", "Database", DATABASE_AWAY, findings=(Finding(Level.BAD, DATABASE_AWAY),)
    )


def _facts(
    database_connection: BaseDatabaseWrapper, answered: float
) -> tuple[tuple[str, str], ...]:
    values = database_connection.settings_dict
    if database_connection.vendor == "sqlite":
        kind = (("Kind", f"SQLite {sqlite3.sqlite_version}"), *_file(Path(str(values["NAME"]))))
    else:
        number = getattr(database_connection, "pg_version", 0)
        place = f"{values['HOST'] or 'this machine'}:{values['PORT'] or 'default port'}"
        kind = (
            ("Kind", f"{database_connection.display_name} {number // 10000}.{number % 10000}"),
            ("At", place),
            ("Name", str(values["NAME"])),
        )
    return (*kind, ("Answers in", f"{answered * 1000:.1f} ms"))


def _file(path: Path) -> Iterable[tuple[str, str]]:
    """Its size, with what was written last and is not yet in its place; of one in memory
    nothing.
    """
    files = [file for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()]
    if files:
        yield "Size", size(sum(file.stat().st_size for file in files))


_applied_at = float("-inf")


def _pending(database_connection: BaseDatabaseWrapper) -> int:
    """How many migrations are not applied. Once all were, they are counted again a minute later."""
    global _applied_at
    if time.monotonic() - _applied_at < MIGRATIONS_SECONDS:
        return 0
    executor = MigrationExecutor(database_connection)
    pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if not pending:
        _applied_at = time.monotonic()
    return pending


def redis() -> Part:
    """Ask Redis; only where the settings name one."""
    client = Redis.from_url(
        settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    )
    try:
        started = time.monotonic()
        client.ping()
        answered = time.monotonic() - started
        info: Any = client.info()
    except (RedisError, OSError):
        return Part("redis", "Redis", REDIS_AWAY, findings=(Finding(Level.BAD, REDIS_AWAY),))
    finally:
        client.close()
    facts = (
        ("Version", str(info.get("redis_version", "not told"))),
        ("Memory", size(int(info.get("used_memory", 0)))),
        ("Clients", str(info.get("connected_clients", "not told"))),
        ("Answers in", f"{answered * 1000:.1f} ms"),
    )
    return Part("redis", "Redis", f"Answers in {answered * 1000:.0f} ms.", facts)


def disk(folder: Path | None = None) -> Part:
    """How much room there is where the data lies."""
    usage = shutil.disk_usage(folder or settings.DATA_DIR)
    share = usage.free / usage.total
    facts = (("Free", f"{size(usage.free)}, {share:.0%}"), ("Size", size(usage.total)))
    words = f"{size(usage.free)} free where data is kept."
    if share >= LOW_SHARE:
        return Part("disk", "Disk", words, facts)
    level = Level.BAD if share < FULL_SHARE else Level.WARN
    text = (
        f"Only {size(usage.free)} ({share:.1%}) of the disk are free: soon nothing can be saved."
        " Make room in DATA_DIR."
    )
    return Part("disk", "Disk", words, facts, (Finding(level, text),))
