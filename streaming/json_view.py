"""JSON views that may fail: one decorator, and one shape of error, ``{"error": sentence}``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from asgiref.sync import iscoroutinefunction
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse

from sightline.kafka import KafkaUnavailable
from streaming.cached_result import TimedOut

log = logging.getLogger(__name__)

LOGGED_OUT: Final = "You have been logged out. Log in again."
NO_DATABASE: Final = "The database does not answer now. Try again."
NO_KAFKA: Final = "Kafka does not answer now. This shows again by itself when it is back."

Document = dict[str, Any] | bytes | HttpResponse
View = Callable[..., Any]


class Refused(Exception):
    """A request that gets no document, with the status and a sentence for people."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


HANDLED: Final = (
    Refused,
    Http404,
    KafkaUnavailable,
    TimedOut,
    OperationalError,
    InterfaceError,
)


def json_view(
    *, no_kafka: str = NO_KAFKA, anonymous: bool = False
) -> Callable[[View], Callable[..., Any]]:
    """Make a JSON view of a function, or coroutine function, that gives the document.

    Answers 401 unless the user is logged in (``anonymous``: the view asks itself); 503, with
    ``no_kafka``, when Kafka does not answer in time; 503 when the database does not; 404 for
    Http404; and what ``Refused`` says. Nothing is cached.
    """

    def decorate(view: View) -> Callable[..., Any]:
        @wraps(view)
        async def answer_async(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if not anonymous and not (await request.auser()).is_authenticated:
                    raise Refused(401, LOGGED_OUT)
                return _response(await view(request, *args, **kwargs))
            except HANDLED as err:
                return _error(err, no_kafka)

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if not anonymous and not request.user.is_authenticated:
                    raise Refused(401, LOGGED_OUT)
                return _response(view(request, *args, **kwargs))
            except HANDLED as err:
                return _error(err, no_kafka)

        return answer_async if iscoroutinefunction(view) else answer

    return decorate


def _response(document: Document) -> HttpResponse:
    if isinstance(document, HttpResponse):
        response = document
    elif isinstance(document, bytes):
        response = HttpResponse(document, content_type="application/json")
    else:
        response = JsonResponse(document)
    response["Cache-Control"] = "no-store"
    return response


def _error(err: Exception, no_kafka: str) -> HttpResponse:
    status, sentence = _refusal(err, no_kafka)
    response = _response(JsonResponse({"error": sentence}, status=status))
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _refusal(err: Exception, no_kafka: str) -> tuple[int, str]:
    if isinstance(err, Refused):
        return err.status, str(err)
    if isinstance(err, Http404):
        return 404, str(err)
    if isinstance(err, KafkaUnavailable | TimedOut):
        log.info("kafka does not answer a page detail=%s", err)
        return 503, no_kafka
    return 503, NO_DATABASE
