"""Whether what a process needs answers: each check says in a sentence what is missing, or ""
when nothing is.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from redis import Redis
from redis.exceptions import RedisError

REDIS_SECONDS: Final = 3.0


def database_problem() -> str:
    """Why the database cannot be used, or "". For a thread that does nothing else with it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "The database does not answer."
    finally:
        connection.close()
    return ""


def redis_problem() -> str:
    """Why Redis cannot be used, or "", also where none is configured."""
    if not settings.REDIS_URL:
        return ""
    client = Redis.from_url(
        settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
    )
    try:
        client.ping()
    except (RedisError, OSError):
        return "Redis does not answer."
    finally:
        client.close()
    return ""
