"""Whether this process works, and whether what it needs is there."""

from __future__ import annotations

import asyncio

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streaming.hub import hub
from streaming.visitors import DatabaseUnavailable, in_database

PART_SECONDS = 3.0


async def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, Kafka and Redis (where it is used) answer, 503 otherwise; which one and why, in the body."""
    checks = {"database": _database(), "kafka": _kafka()} | ({"redis": _redis()} if settings.REDIS_URL else {})
    answers = await asyncio.gather(*checks.values())
    problems = dict(zip(checks, answers, strict=True))
    body = {name: {"ok": not problem, "detail": problem} for name, problem in problems.items()}
    return JsonResponse(body, status=503 if any(answers) else 200, headers={"Cache-Control": "no-store"})


async def _database() -> str:
    try:
        await asyncio.wait_for(in_database(_select_one), PART_SECONDS)
    except (DatabaseUnavailable, TimeoutError):
        return "The database does not answer."
    return ""


def _select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def _kafka() -> str:
    source = hub()
    subscription = source.subscribe()
    try:
        if not source.kafka.known:
            await subscription.wait(PART_SECONDS)
    finally:
        subscription.close()
    return "" if source.kafka.known and source.kafka.reachable else "Kafka does not answer."


async def _redis() -> str:
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=PART_SECONDS, socket_connect_timeout=PART_SECONDS)
    try:
        await client.ping()
    except (RedisError, OSError):
        return "Redis does not answer."
    finally:
        await client.aclose()
    return ""
