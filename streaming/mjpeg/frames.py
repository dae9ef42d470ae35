"""One frame of the past, by its place in the camera's frames topic, for as long as Kafka keeps
it.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from sightline.kafka import KafkaUnavailable, topics
from sightline.kafka.reader import TopicReader
from sightline.messages import Frame
from sightline.messages.json import MessageError
from streaming.mjpeg.request import NO_CAMERA, plain
from streaming.visitors.tokens import refusal
from streaming.visitors.visitor import DatabaseUnavailable, Visitor, in_database

log = logging.getLogger(__name__)

READ_SECONDS = 2.0
KEPT_SECONDS = 30
MAX_OFFSET = 2**63 - 1

# Each read opens a connection of its own, so only a few run at a time.
pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="streaming-frames")


def fetch_frame(camera: str, offset: int) -> Frame | None:
    """The frame at ``offset``; None when it is not there, or no longer. KafkaUnavailable when
    the broker does not answer in two seconds.
    """
    try:
        with TopicReader(topics.frames(camera), READ_SECONDS) as reader:
            record = reader.at(0, offset)
        if record is None:
            return None
        return Frame.from_record(camera, record.value, record.header_map, offset)
    except MessageError:
        return None


@require_safe
async def frame(request: HttpRequest, slug: str, offset: int) -> HttpResponse:
    """The camera's frame at an offset, as it is in the topic."""
    if not (await request.auser()).is_authenticated:
        return refusal()
    try:
        camera = await in_database(Visitor.of_request(request).camera, slug)
        if camera is None:
            return plain(404, NO_CAMERA)
        found = await sync_to_async(fetch_frame, thread_sensitive=False, executor=pool)(
            slug, min(offset, MAX_OFFSET)
        )
    except DatabaseUnavailable as err:
        return plain(503, str(err))
    except KafkaUnavailable as err:
        log.info("frame not read camera=%s detail=%s", slug, err)
        return plain(503, "Kafka does not answer now. Try again.")
    if found is None:
        return plain(
            404,
            f"This picture is no longer kept: pictures stay for about {settings.FRAMES_RETENTION}"
            " seconds.",
        )
    headers = {
        "Cache-Control": f"private, max-age={KEPT_SECONDS}",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Frame-Seq": str(found.seq),
    }
    return HttpResponse(found.jpeg, content_type="image/jpeg", headers=headers)
