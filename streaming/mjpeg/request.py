"""Reads a request for a camera's frames: who asks (by session, token or signed link), with which
options, and whether they may have them.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict

from cameras.models import Camera
from streaming.hub.channels import Channel, ChannelKind
from streaming.protocol import (
    MAX_FPS,
    MAX_WIDTH,
    MIN_FPS,
    MIN_WIDTH,
)
from streaming.visitors.links import (
    NOT_VALID,
    PARAMETER,
    Link,
    LinkError,
    LinkKind,
    open_link,
)
from streaming.visitors.tokens import refusal
from streaming.visitors.visitor import DatabaseUnavailable, Visitor, in_database

NO_STORE = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
NO_CAMERA = "There is no such camera."
LINK_WITHOUT_RIGHTS = (
    "This link opens nothing any more: its user may not see the camera, or the camera was removed."
)


class ParameterError(ValueError):
    """A query parameter that is not understood; the message is a sentence for its author."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What the query asks for; ``fps`` and ``width`` None: as the camera delivers."""

    overlay: bool = False
    fps: float | None = None
    width: int | None = None

    @classmethod
    def of(cls, query: QueryDict) -> StreamOptions:
        """Read the query; ParameterError names what is wrong."""
        overlay = query.get("overlay", "0")
        if overlay not in ("0", "1"):
            raise ParameterError("overlay is 1 (predictions drawn in) or 0.")
        width = _number(query, "width", MIN_WIDTH, MAX_WIDTH)
        return cls(
            overlay == "1",
            _number(query, "fps", MIN_FPS, MAX_FPS),
            None if width is None else int(width),
        )

    @property
    def query(self) -> str:
        """The options as a canonical query string; empty when none is set."""
        values = {
            "overlay": "1" if self.overlay else None,
            "fps": self.fps and f"{self.fps:g}",
            "width": self.width,
        }
        return urlencode({name: value for name, value in values.items() if value is not None})

    def channel(self, camera: str) -> Channel:
        """Where the frames come from."""
        return Channel(camera, ChannelKind.ANNOTATED if self.overlay else ChannelKind.FRAMES)

    def refused_by(self, camera: Camera) -> tuple[int, str] | None:
        """The status and the sentence with which this camera refuses, if it does."""
        if not camera.enabled:
            return 503, "This camera is switched off in its settings."
        if self.overlay and not camera.imprint:
            return (
                404,
                (
                    "This camera publishes no pictures with predictions drawn in: its imprint is"
                    " switched off."
                ),
            )
        return None


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
class StreamRequest:
    """A request that was granted."""

    visitor: Visitor
    slug: str
    options: StreamOptions
    user_pk: int

    @property
    def channel(self) -> Channel:
        """Where the frames come from."""
        return self.options.channel(self.slug)

    @property
    def headers(self) -> dict[str, str]:
        """For the answer: never stored, and shown by the pages of other sites only where a link
        allows it.
        """
        return {
            **NO_STORE,
            "Cross-Origin-Resource-Policy": "cross-origin" if self.visitor.link else "same-origin",
        }

    def allowed(self) -> bool:
        """Whether the camera may be shown now. Asks the database."""
        camera = self.visitor.camera(self.slug)
        return camera is not None and self.options.refused_by(camera) is None


async def read_request(
    request: HttpRequest, slug: str, kind: LinkKind
) -> StreamRequest | HttpResponse:
    """The request, or its refusal: 401, 403, 404, 400 or 503, with a sentence."""
    linked = PARAMETER in request.GET
    if not linked and not (await request.auser()).is_authenticated:
        return refusal()
    try:
        visitor = (
            await in_database(_by_link, request.GET, slug, kind)
            if linked
            else Visitor.of_request(request)
        )
        user_pk, camera = await in_database(visitor.user_and_camera, slug)
    except DatabaseUnavailable as err:
        return plain(503, str(err))
    except LinkError as err:
        return plain(403, str(err))
    if camera is None:
        return plain(403, LINK_WITHOUT_RIGHTS) if linked else plain(404, NO_CAMERA)
    try:
        options = StreamOptions.of(request.GET)
    except ParameterError as err:
        return plain(400, str(err))
    refused = options.refused_by(camera)
    return plain(*refused) if refused else StreamRequest(visitor, slug, options, user_pk)


def _by_link(query: QueryDict, slug: str, kind: LinkKind) -> Visitor:
    try:
        link = Link(kind, slug, StreamOptions.of(query).query)
    except ParameterError as err:
        raise LinkError(NOT_VALID) from err
    return Visitor(link=open_link(link, query.get(PARAMETER, "")))


def plain(status: int, sentence: str) -> HttpResponse:
    """A sentence for scripts and players."""
    return HttpResponse(
        sentence + "\n",
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store"},
    )
