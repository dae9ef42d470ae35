"""A camera as an HTTP stream of JPEG pictures, and its newest picture."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from sightline.base.frame_rate import FrameRateLimiter
from sightline.messages import Frame
from streaming.hub.channels import Channel
from streaming.hub.deliveries import Way
from streaming.hub.hub import Hub, hub
from streaming.hub.scaled_frame import FrameError, LiveFrame
from streaming.hub.subscriptions import Subscription
from streaming.hub.tracing import delivered
from streaming.mjpeg.request import Asked, asked_for, plain
from streaming.protocol import MAX_FPS
from streaming.visitors.links import LinkKind
from streaming.visitors.visitor import DatabaseUnavailable, in_database

BOUNDARY = "frame"
FRESH_SECONDS = 3.0
SNAPSHOT_SECONDS = 3.0


class FrameStream(StreamingHttpResponse):
    """A response whose parts are bytes already: they go to the server without Django's layers,
    each of which costs as much as the sending.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterator  # type: ignore[no-any-return, attr-defined]


@require_safe
async def stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    """``multipart/x-mixed-replace``: one JPEG after the other, the newest each time."""
    asked = await asked_for(request, slug, LinkKind.STREAM)
    if isinstance(asked, HttpResponse):
        return asked
    content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    if request.method == "HEAD":
        return HttpResponse(content_type=content_type, headers=asked.headers)
    return FrameStream(_parts(asked, hub()), content_type=content_type, headers=asked.headers)


@require_safe
async def snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest picture; 503 when none comes in some seconds."""
    asked = await asked_for(request, slug, LinkKind.SNAPSHOT)
    if isinstance(asked, HttpResponse):
        return asked
    frame = await _fresh_frame(asked, hub())
    if frame is None:
        return plain(503, "The camera delivers no pictures now.")
    headers = {
        **asked.headers,
        **_frame_headers(frame),
        "Content-Disposition": f'inline; filename="{slug}.jpg"',
    }
    return HttpResponse(frame.jpeg, content_type="image/jpeg", headers=headers)


async def _parts(asked: Asked, source: Hub) -> AsyncIterator[bytes]:
    await sync_to_async(_give_back_connections)()
    _give_back_thread()
    subscription = source.subscribe()
    subscription.watch(asked.channel)
    pace = FrameRateLimiter(asked.options.fps or MAX_FPS)
    recheck_at = time.monotonic() + settings.RECHECK_SECONDS
    shown: LiveFrame | None = None
    try:
        yield f"--{BOUNDARY}\r\n".encode()
        while True:
            if time.monotonic() >= recheck_at:
                if not await _still_allowed(asked):
                    return
                recheck_at = time.monotonic() + settings.RECHECK_SECONDS
            picture = await _next_picture(
                subscription, source, asked.channel, shown, pace, recheck_at
            )
            if picture is None:
                continue
            shown = picture
            try:
                scaled_frame = await picture.at(asked.options.width)
            except FrameError:
                continue
            part = scaled_frame.written(_part)
            yield part
            source.deliveries.sent(Way.STREAM, scaled_frame.frame, len(part))
            if picture.frame.trace:
                delivered(picture, Way.STREAM)
    finally:
        subscription.close()


async def _still_allowed(asked: Asked) -> bool:
    try:
        return await in_database(asked.allowed)
    except DatabaseUnavailable:
        return True  # the video goes on meanwhile


async def _next_picture(
    subscription: Subscription,
    source: Hub,
    channel: Channel,
    shown: LiveFrame | None,
    pace: FrameRateLimiter,
    until: float,
) -> LiveFrame | None:
    """The next picture after ``shown`` that the pace takes; None at ``until``."""
    while (now := time.monotonic()) < until:
        picture = source.frame(channel)
        if picture is not None and picture is not shown and _is_fresh(picture.frame):
            if pace.takes(picture.frame.captured_at):
                return picture
            shown = picture
        await subscription.wait(until - now)
    return None


async def _fresh_frame(asked: Asked, source: Hub) -> Frame | None:
    subscription = source.subscribe()
    subscription.watch(asked.channel)
    try:
        until = time.monotonic() + SNAPSHOT_SECONDS
        picture = await _next_picture(
            subscription, source, asked.channel, None, FrameRateLimiter(MAX_FPS), until
        )
        return None if picture is None else (await picture.at(asked.options.width)).frame
    except FrameError:
        return None
    finally:
        subscription.close()


def _is_fresh(frame: Frame) -> bool:
    # A stream has nowhere to say that a picture is old, so it shows none that is.
    return bool(time.time_ns() - frame.captured_at < FRESH_SECONDS * 1e9)


def _part(frame: Frame) -> bytes:
    """One picture and, already, the boundary that follows: some clients show a picture only when
    they see its end.
    """
    lines = ["Content-Type: image/jpeg", f"Content-Length: {len(frame.jpeg)}"]
    lines += [f"{name}: {value}" for name, value in _frame_headers(frame).items()]
    return b"".join(
        ("\r\n".join(lines).encode(), b"\r\n\r\n", frame.jpeg, f"\r\n--{BOUNDARY}\r\n".encode())
    )


def _frame_headers(frame: Frame) -> dict[str, str]:
    seconds, nanoseconds = divmod(frame.captured_at, 1_000_000_000)
    return {"X-Timestamp": f"{seconds}.{nanoseconds // 1000:06d}", "X-Frame-Seq": str(frame.seq)}


def _give_back_thread() -> None:
    """End the thread in which Django ran this request's synchronous parts; it would stay as long
    as the stream. Another is made when needed.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = (
        SyncToAsync.context_to_thread_executor.pop(context, None) if context is not None else None
    )
    if executor is not None:
        executor.shutdown(wait=False)


def _give_back_connections() -> None:
    """Close this request's database connections: the stream may last for days and asks through
    ``in_database``.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
