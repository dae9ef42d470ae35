"""Who is watching; checked again and again while a stream or a socket lasts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

from channels.db import DatabaseSyncToAsync
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser, User
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, parse_cookie

from cameras.access import visible_cameras
from cameras.models import Camera
from streaming.json_view import NO_DATABASE, Refused
from streaming.visitors.links import LinkHolder
from streaming.visitors.tokens import bearer, user_of

log = logging.getLogger(__name__)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# All streams and sockets share a few threads, and so a few database connections; Django would use
# one for each.
pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="streaming-database")


class DatabaseUnavailable(Refused):
    """The database does not answer; the message is a sentence for the viewer."""

    def __init__(self) -> None:
        super().__init__(503, NO_DATABASE)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client's credentials. Every method queries the database."""

    session_key: str = ""
    token: str | None = None
    link: LinkHolder | None = None

    @classmethod
    def of_request(cls, request: HttpRequest) -> Visitor:
        """From a request that has passed the middleware."""
        return cls(
            request.session.session_key or "", bearer(request.headers.get("Authorization", ""))
        )

    @classmethod
    def of_headers(cls, headers: Iterable[tuple[bytes, bytes]]) -> Visitor:
        """From the headers of a WebSocket handshake."""
        values = {name.lower(): value.decode("latin1") for name, value in headers}
        cookies = parse_cookie(values.get(b"cookie", ""))
        return cls(
            cookies.get(settings.SESSION_COOKIE_NAME, ""), bearer(values.get(b"authorization", ""))
        )

    def user(self) -> User | AnonymousUser:
        """The user at this moment: anonymous after logging out, a changed password, a deactivated
        account, or the end of a link.
        """
        if self.link is not None:
            return self.link.user()
        if self.token is not None:
            return user_of(self.token) or AnonymousUser()
        if not self.session_key:
            return AnonymousUser()
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        user = get_user(request)
        assert isinstance(user, User | AnonymousUser)
        return user

    def cameras(self, slugs: Iterable[str]) -> dict[str, bool]:
        """Those of these cameras that the visitor may see now, each with whether it is enabled."""
        return dict(
            visible_cameras(self.user()).filter(slug__in=slugs).values_list("slug", "enabled")
        )

    def camera(self, slug: str) -> Camera | None:
        """The camera, if there is one of that name that the visitor may see now."""
        return self.user_and_camera(slug)[1]

    def user_and_camera(self, slug: str) -> tuple[int, Camera | None]:
        """The key of the user, 0 for nobody, and the camera as above."""
        user = self.user()
        return user.pk or 0, visible_cameras(user).filter(slug=slug).first()


async def in_database(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """Run ``function``, which queries the database, without blocking the event loop. Raises
    DatabaseUnavailable if the database does not answer.
    """
    call: Any = DatabaseSyncToAsync(function, thread_sensitive=False, executor=pool)
    try:
        result: Result = await call(*args, **kwargs)
    except (OperationalError, InterfaceError) as err:
        log.warning("database does not answer error=%s", err)
        raise DatabaseUnavailable from err
    return result
