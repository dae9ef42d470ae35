"""The history of cameras and models as JSON, for charts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

from django.http import Http404, HttpRequest
from django.views.decorators.http import require_safe

from inference.models import Model
from streaming.cached_result import CachedResults
from streaming.history.documents import camera_document, model_document
from streaming.history.timeline import MAX_MINUTES
from streaming.json_view import Refused, json_view
from streaming.visitors.visitor import Visitor, in_database

MINUTES: Final = 60
KEEP_SECONDS: Final = 5.0
NO_KAFKA: Final = (
    "Kafka does not answer, so the history cannot be read now. It shows again as soon as Kafka is"
    " back."
)

documents = CachedResults(threads=4, keep=KEEP_SECONDS)


@require_safe
@json_view(no_kafka=NO_KAFKA)
async def camera_history(request: HttpRequest, slug: str) -> bytes:
    """A camera's capture and its models, over the last ``minutes``: rows of values, all as long
    as ``at``.
    """
    minutes = _minutes(request)
    if await in_database(Visitor.of_request(request).camera, slug) is None:
        raise Http404("There is no such camera.")
    return await _document(("camera", slug, minutes), partial(camera_document, slug, minutes))


@require_safe
@json_view(no_kafka=NO_KAFKA)
async def model_history(request: HttpRequest, slug: str) -> bytes:
    """A model's versions over the last ``minutes``: rows of values, all as long as ``at``."""
    minutes = _minutes(request)
    versions = await in_database(_versions, slug)
    return await _document(
        ("model", slug, versions, minutes), partial(model_document, slug, versions, minutes)
    )


def _minutes(request: HttpRequest) -> int:
    text = request.GET.get("minutes", str(MINUTES))
    is_number = text.isascii() and text.isdecimal() and len(text) < 10
    if not is_number or not 1 <= int(text) <= MAX_MINUTES:
        raise Refused(400, f"minutes is a whole number from 1 to {MAX_MINUTES}.")
    return int(text)


def _versions(slug: str) -> tuple[str, ...]:
    model = Model.objects.filter(slug=slug).first()
    if model is None:
        raise Http404("There is no such model.")
    return tuple(model.versions.values_list("version", flat=True))


async def _document(key: Hashable, make: Callable[[], bytes]) -> bytes:
    # Shielded, because others may wait for the same document.
    return await asyncio.shield(asyncio.wrap_future(documents.submit(key, make)))
