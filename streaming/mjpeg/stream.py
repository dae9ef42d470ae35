"""A camera as an HTTP stream of JPEG frames, and its newest frame."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator

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
from streaming.mjpeg.request import StreamRequest, plain, read_request
from streaming.protocol import MAX_FPS
from streaming.visitors.links import LinkKind
from streaming.visitors.places import streams
from streaming.visitors.visitor import DatabaseUnavailable, in_database

BOUNDARY = "frame"
FRESH_SECONDS = 3.0
TOO_MANY = "You have {most} streams open, which is the limit for one user. Close one first."
SNAPSHOT_SECONDS = 3.0


class FrameStream(StreamingHttpResponse):
    """A response whose parts are bytes already. They bypass Django's layers, each of which costs
    as much as sending.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._iterator  # type: ignore[no-any-return, attr-defined]


@require_safe
async def stream(request: HttpRequest, slug: str) -> HttpResponseBase:
    """``multipart/x-mixed-replace``: one JPEG after the other, the newest each time."""
    stream_request = await read_request(request, slug, LinkKind.STREAM)
    if isinstance(stream_request, HttpResponse):
        return stream_request
    content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    if request.method == "HEAD":
        return HttpResponse(content_type=content_type, headers=stream_request.headers)
    if not streams.are_left(stream_request.user_pk):
        return plain(429, TOO_MANY.format(most=streams.most))
    return FrameStream(
        _held(stream_request), content_type=content_type, headers=stream_request.headers
    )


@require_safe
async def snapshot(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest frame; 503 when none comes within SNAPSHOT_SECONDS."""
    stream_request = await read_request(request, slug, LinkKind.SNAPSHOT)
    if isinstance(stream_request, HttpResponse):
        return stream_request
    frame = await _fresh_frame(stream_request, hub())
    if frame is None:
        return plain(503, "The camera delivers no pictures now.")
    headers = {
        **stream_request.headers,
        **_frame_headers(frame),
        "Content-Disposition": f'inline; filename="{slug}.jpg"',
    }
    return HttpResponse(frame.jpeg, content_type="image/jpeg", headers=headers)


async def _held(stream_request: StreamRequest) -> AsyncIterator[bytes]:
    """The stream's parts, while it has one of its user's places. Many requests may come at once:
    it is asked once more.
    """
    if not streams.are_left(stream_request.user_pk):
        return
    with streams.held(stream_request.user_pk):
        async with contextlib.aclosing(_parts(stream_request, hub())) as parts:
            async for part in parts:
                yield part


async def _parts(stream_request: StreamRequest, source: Hub) -> AsyncGenerator[bytes]:
    await sync_to_async(_give_back_connections)()
    _give_back_thread()
    subscription = source.subscribe()
    subscription.watch(stream_request.channel)
    limiter = FrameRateLimiter(stream_request.options.fps or MAX_FPS)
    recheck_at = time.monotonic() + settings.RECHECK_SECONDS
    shown: LiveFrame | None = None
    try:
        yield f"--{BOUNDARY}\r\n".encode()
        while True:
            if time.monotonic() >= recheck_at:
                if not await _still_allowed(stream_request):
                    return
                recheck_at = time.monotonic() + settings.RECHECK_SECONDS
            live = await _next_frame(
                subscription, source, stream_request.channel, shown, limiter, recheck_at
            )
            if live is None:
                continue
            shown = live
            try:
                scaled_frame = await live.at(stream_request.options.width)
            except FrameError:
                continue
            part = scaled_frame.written(_part)
            yield part
            source.deliveries.sent(Way.STREAM, scaled_frame.frame, len(part))
            if live.frame.trace:
                delivered(live, Way.STREAM)
    finally:
        subscription.close()


async def _still_allowed(stream_request: StreamRequest) -> bool:
    try:
        return await in_database(stream_request.allowed)
    except DatabaseUnavailable:
        return True  # the video goes on meanwhile


async def _next_frame(
    subscription: Subscription,
    source: Hub,
    channel: Channel,
    shown: LiveFrame | None,
    limiter: FrameRateLimiter,
    until: float,
) -> LiveFrame | None:
    """The next frame after ``shown`` that the limiter takes; None at ``until``."""
    while (now := time.monotonic()) < until:
        live = source.frame(channel)
        if live is not None and live is not shown and _is_fresh(live.frame):
            if limiter.takes(live.frame.captured_at):
                return live
            shown = live
        await subscription.wait(until - now)
    return None


async def _fresh_frame(stream_request: StreamRequest, source: Hub) -> Frame | None:
    subscription = source.subscribe()
    subscription.watch(stream_request.channel)
    try:
        until = time.monotonic() + SNAPSHOT_SECONDS
        live = await _next_frame(
            subscription, source, stream_request.channel, None, FrameRateLimiter(MAX_FPS), until
        )
        return None if live is None else (await live.at(stream_request.options.width)).frame
    except FrameError:
        return None
    finally:
        subscription.close()


def _is_fresh(frame: Frame) -> bool:
    # A stream cannot label a frame as old, so it skips stale ones.
    return bool(time.time_ns() - frame.captured_at < FRESH_SECONDS * 1e9)


def _part(frame: Frame) -> bytes:
    """One frame and the boundary after it: some clients show a frame only when they see its end."""
    lines = ["Content-Type: image/jpeg", f"Content-Length: {len(frame.jpeg)}"]
    lines += [f"{name}: {value}" for name, value in _frame_headers(frame).items()]
    return b"".join(
        ("\r\n".join(lines).encode(), b"\r\n\r\n", frame.jpeg, f"\r\n--{BOUNDARY}\r\n".encode())
    )


def _frame_headers(frame: Frame) -> dict[str, str]:
    seconds, nanoseconds = divmod(frame.captured_at, 1_000_000_000)
    return {"X-Timestamp": f"{seconds}.{nanoseconds // 1000:06d}", "X-Frame-Seq": str(frame.seq)}


def _give_back_thread() -> None:
    """End the thread that Django made for this request's synchronous code: it would live as long
    as the stream. Django makes another when it needs one.
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
