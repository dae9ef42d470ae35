"""The history of cameras and models as JSON, for charts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from inference.models import Model
from sightline.kafka import KafkaUnavailable
from sightline.messages.json import dump
from streaming.cached_result import Answers
from streaming.history.documents import camera_document, model_document
from streaming.history.timeline import MAX_MINUTES
from streaming.visitors.visitor import DatabaseUnavailable, Visitor, in_database

log = logging.getLogger(__name__)

MINUTES: Final = 60
KEEP_SECONDS: Final = 5.0
NO_KAFKA: Final = (
    "Kafka does not answer, so the history cannot be read now. It shows again as soon as Kafka is"
    " back."
)

answers = Answers(threads=4, keep=KEEP_SECONDS)


class Refusal(Exception):
    """The request is not answered with a document: the status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@require_safe
async def camera_history(request: HttpRequest, slug: str) -> HttpResponse:
    """A camera's capture and its models, over the last ``minutes``: rows of values, all as long
    as ``at``.
    """

    async def document() -> bytes:
        minutes = await _minutes_asked_for(request)
        if await in_database(Visitor.of_request(request).camera, slug) is None:
            raise Refusal(404, "There is no such camera.")
        return await _asked(("camera", slug, minutes), partial(camera_document, slug, minutes))

    return await _answered(document())


@require_safe
async def model_history(request: HttpRequest, slug: str) -> HttpResponse:
    """A model's versions over the last ``minutes``: rows of values, all as long as ``at``."""

    async def document() -> bytes:
        minutes = await _minutes_asked_for(request)
        versions = await in_database(_versions, slug)
        return await _asked(
            ("model", slug, versions, minutes), partial(model_document, slug, versions, minutes)
        )

    return await _answered(document())


async def _answered(document: Awaitable[bytes]) -> HttpResponse:
    try:
        return _json(await document)
    except Refusal as err:
        return _error(err.status, str(err))
    except DatabaseUnavailable as err:
        return _error(503, str(err))
    except KafkaUnavailable as err:
        log.warning("history not read detail=%s", err)
        return _error(503, NO_KAFKA)


async def _minutes_asked_for(request: HttpRequest) -> int:
    """By somebody who is logged in."""
    if not (await request.auser()).is_authenticated:
        raise Refusal(401, "Log in, or send a token: Authorization: Bearer <token>.")
    text = request.GET.get("minutes", str(MINUTES))
    if not (
        text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MAX_MINUTES
    ):
        raise Refusal(400, f"minutes is a whole number from 1 to {MAX_MINUTES}.")
    return int(text)


def _versions(slug: str) -> tuple[str, ...]:
    model = Model.objects.filter(slug=slug).first()
    if model is None:
        raise Refusal(404, "There is no such model.")
    return tuple(model.versions.values_list("version", flat=True))


async def _asked(question: Hashable, make: Callable[[], bytes]) -> bytes:
    # Shielded, because others may wait for the same answer.
    return await asyncio.shield(asyncio.wrap_future(answers.ask(question, make)))


def _error(status: int, sentence: str) -> HttpResponse:
    response = _json(dump({"error": sentence}), status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _json(body: bytes, status: int = 200) -> HttpResponse:
    return HttpResponse(
        body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
