"""A camera as an HTTP stream of JPEG pictures, and its newest picture."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from cameras.models import Camera
from sightline.messages import Frame
from sightline.pace import Pace
from streaming.feeds import Feed, Kind
from streaming.hub import Hub, hub
from streaming.protocol import LEAST_FPS, LEAST_WIDTH, MOST_FPS, MOST_WIDTH
from streaming.rendition import LivePicture, PictureError
from streaming.subscriptions import Subscription
from streaming.tokens import refusal
from streaming.visitors import DatabaseUnavailable, Visitor, in_database

BOUNDARY = "frame"
FRESH_SECONDS = 3.0
SNAPSHOT_SECONDS = 3.0

NO_STORE = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}


class ParameterError(ValueError):
    """A query parameter that is not understood; the message is a sentence for who wrote it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the query asks for; ``fps`` and ``width`` None: as the camera delivers."""

    overlay: bool = False
    fps: float | None = None
    width: int | None = None

    @classmethod
    def of(cls, query: QueryDict) -> Options:
        """Read the query; ParameterError names what is wrong."""
        overlay = query.get("overlay", "0")
        if overlay not in ("0", "1"):
            raise ParameterError("overlay is 1 (predictions drawn in) or 0.")
        width = _number(query, "width", LEAST_WIDTH, MOST_WIDTH)
        return cls(overlay == "1", _number(query, "fps", LEAST_FPS, MOST_FPS), None if width is None else int(width))

    def feed(self, camera: str) -> Feed:
        """Where the pictures come from."""
        return Feed(camera, Kind.ANNOTATED if self.overlay else Kind.FRAMES)


def _number(query: QueryDict, name: str, least: float, most: float) -> float | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError as err:
        raise ParameterError(f"{name} is a number.") from err
    if not least <= value <= most:
        raise ParameterError(f"{name} is between {least:g} and {most:g}.")
    return value


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered with pictures."""

    visitor: Visitor
    slug: str
    options: Options

    @property
    def feed(self) -> Feed:
        """Where the pictures come from."""
        return self.options.feed(self.slug)

    def allowed(self) -> bool:
        """Whether the camera may be shown now. Asks the database."""
        camera = self.visitor.camera(self.slug)
        return camera is not None and camera.enabled and (camera.imprint or not self.options.overlay)


async def _asked(request: HttpRequest, slug: str) -> Asked | HttpResponse:
    """What is asked for, or the refusal: 401, 404 or 400."""
    visitor = Visitor.of_request(request)
    if not (await request.auser()).is_authenticated:
        return refusal("Log in, or send a token: Authorization: Bearer <token>.")
    try:
        camera = await in_database(visitor.camera, slug)
    except DatabaseUnavailable as err:
        return _plain(503, str(err))
    if camera is None:
        return _plain(404, "There is no such camera.")
    try:
        options = Options.of(request.GET)
    except ParameterError as err:
        return _plain(400, str(err))
    return _refused(camera, options) or Asked(visitor, slug, options)


def _refused(camera: Camera, options: Options) -> HttpResponse | None:
    if not camera.enabled:
        return _plain(503, "This camera is switched off in its settings.")
    if options.overlay and not camera.imprint:
        return _plain(404, "This camera publishes no pictures with predictions drawn in: its imprint is switched off.")
    return None


@require_safe
async def stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    """``multipart/x-mixed-replace``: one JPEG after the other, the newest each time."""
    asked = await _asked(request, slug)
    if isinstance(asked, HttpResponse):
        return asked
    content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    if request.method == "HEAD":
        return HttpResponse(content_type=content_type, headers=NO_STORE)
    return StreamingHttpResponse(_parts(asked, hub()), content_type=content_type, headers=NO_STORE)


@require_safe
async def snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest picture; 503 when none comes in some seconds."""
    asked = await _asked(request, slug)
    if isinstance(asked, HttpResponse):
        return asked
    frame = await _fresh_frame(asked, hub())
    if frame is None:
        return _plain(503, "The camera delivers no pictures now.")
    headers = {**NO_STORE, **_frame_headers(frame), "Content-Disposition": f'inline; filename="{slug}.jpg"'}
    return HttpResponse(frame.jpeg, content_type="image/jpeg", headers=headers)


async def _parts(asked: Asked, source: Hub) -> AsyncIterator[bytes]:
    await sync_to_async(_give_back_connections)()
    subscription = source.subscribe()
    subscription.watch(asked.feed)
    pace = Pace(asked.options.fps or MOST_FPS)
    recheck_at = time.monotonic() + settings.RECHECK_SECONDS
    shown: LivePicture | None = None
    try:
        yield f"--{BOUNDARY}\r\n".encode()
        while True:
            if time.monotonic() >= recheck_at:
                if not await _still_allowed(asked):
                    return
                recheck_at = time.monotonic() + settings.RECHECK_SECONDS
            picture = await _next_picture(subscription, source, asked.feed, shown, pace, recheck_at)
            if picture is None:
                continue
            shown = picture
            try:
                frame = await picture.at(asked.options.width)
            except PictureError:
                continue
            yield _part(frame)
    finally:
        subscription.close()


async def _still_allowed(asked: Asked) -> bool:
    try:
        return await in_database(asked.allowed)
    except DatabaseUnavailable:
        return True  # the video goes on meanwhile


async def _next_picture(
    subscription: Subscription, source: Hub, feed: Feed, shown: LivePicture | None, pace: Pace, until: float
) -> LivePicture | None:
    """The next picture after ``shown`` that the pace takes; None at ``until``."""
    while (now := time.monotonic()) < until:
        picture = source.picture(feed)
        if picture is not None and picture is not shown and _is_fresh(picture.frame):
            if pace.takes(picture.frame.captured_at):
                return picture
            shown = picture
        await subscription.wait(until - now)
    return None


async def _fresh_frame(asked: Asked, source: Hub) -> Frame | None:
    subscription = source.subscribe()
    subscription.watch(asked.feed)
    try:
        until = time.monotonic() + SNAPSHOT_SECONDS
        picture = await _next_picture(subscription, source, asked.feed, None, Pace(MOST_FPS), until)
        return None if picture is None else await picture.at(asked.options.width)
    except PictureError:
        return None
    finally:
        subscription.close()


def _is_fresh(frame: Frame) -> bool:
    # A stream has nowhere to say that a picture is old, so it shows none that is.
    return bool(time.time_ns() - frame.captured_at < FRESH_SECONDS * 1e9)


def _part(frame: Frame) -> bytes:
    """One picture and, already, the boundary that follows: some clients show a picture only when they see its end."""
    lines = ["Content-Type: image/jpeg", f"Content-Length: {len(frame.jpeg)}"]
    lines += [f"{name}: {value}" for name, value in _frame_headers(frame).items()]
    return b"".join(("\r\n".join(lines).encode(), b"\r\n\r\n", frame.jpeg, f"\r\n--{BOUNDARY}\r\n".encode()))


def _frame_headers(frame: Frame) -> dict[str, str]:
    seconds, nanoseconds = divmod(frame.captured_at, 1_000_000_000)
    return {"X-Timestamp": f"{seconds}.{nanoseconds // 1000:06d}", "X-Frame-Seq": str(frame.seq)}


def _plain(status: int, sentence: str) -> HttpResponse:
    return HttpResponse(sentence + "\n", status=status, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _give_back_connections() -> None:
    """Close this request's database connections: the stream may last for days and asks through ``in_database``."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
