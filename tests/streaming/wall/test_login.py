"""Who may open the wall's socket, and what they may see there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import OperationalError

from cameras.models import Camera as CameraRow
from streaming.hub.hub import Hub
from streaming.visitors.tokens import issue
from streaming.wall import socket as consumers
from tests.streaming.conftest import Camera
from tests.streaming.sockets import HOST, ORIGIN, Socket

pytestmark = pytest.mark.django_db(transaction=True)


class TestPermissions:
    """What is asked again while the socket is open."""

    @pytest.fixture(autouse=True)
    def recheck_at_once(self, settings: Any) -> None:
        settings.RECHECK_SECONDS = 0.1

    async def test_logging_out_closes_the_socket(self, socket: Socket) -> None:
        from django.contrib.sessions.models import Session

        await sync_to_async(Session.objects.all().delete)()
        message = await socket.next()
        while message["type"] != "closed":
            message = await socket.next()
        assert message["code"] == consumers.CLOSE_LOGGED_OUT

    async def test_losing_the_account_closes_the_socket(self, socket: Socket) -> None:
        await sync_to_async(User.objects.filter(username="olga").update)(is_active=False)
        message = await socket.next()
        while message["type"] != "closed":
            message = await socket.next()
        assert message["code"] == consumers.CLOSE_LOGGED_OUT

    async def test_a_removed_camera_is_said_to_be_so_and_shown_no_more(
        self, socket: Socket, gate: Camera
    ) -> None:
        await socket.send(type="watch", camera="gate")
        await socket.until(gate.show, type="frame")
        await sync_to_async(CameraRow.objects.filter(slug="gate").delete)()
        await socket.until(gate.show, type="status", state="deleted")
        gate.show()
        await socket.send(type="ping", t=1)
        message = await socket.next()
        while message["type"] != "pong":
            assert message["type"] != "frame"
            message = await socket.next()

    async def test_a_camera_that_may_be_seen_no_more_is_forbidden(
        self,
        socket: Socket,
        gate: Camera,
        new_camera: Callable[[str], Camera],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        yard = new_camera("yard")
        await socket.send(type="watch", camera="gate")
        await socket.send(type="watch", camera="yard")
        await socket.until(gate.show, type="frame", camera="gate")
        monkeypatch.setattr(
            consumers, "visible_cameras", lambda user: CameraRow.objects.filter(slug="yard")
        )
        await socket.until(gate.show, type="status", camera="gate", state="forbidden")
        await socket.until(yard.show, type="frame", camera="yard")

    async def test_a_camera_that_is_switched_off_is_said_to_be_so(
        self, socket: Socket, gate: Camera
    ) -> None:
        await socket.send(type="watch", camera="gate")
        await sync_to_async(CameraRow.objects.filter(slug="gate").update)(enabled=False)
        await socket.until(type="status", state="disabled")

    async def test_the_video_goes_on_while_the_database_does_not_answer(
        self, socket: Socket, gate: Camera, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await socket.send(type="watch", camera="gate")
        await socket.until(gate.show, type="frame")
        asked = []

        def away(*_: object) -> None:
            asked.append(1)
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(consumers, "_standing", away)
        while len(asked) < 3:
            await socket.send(
                type="ack", camera="gate", seq=(await socket.until(gate.show, type="frame"))["seq"]
            )


class TestWhoMayConnect:
    """Origins, sessions and tokens."""

    @pytest.mark.parametrize(
        ("origin", "accepted"),
        [
            (b"http://testserver", True),
            (b"https://testserver", True),
            (b"https://wall.example.com", True),
            (b"http://testserver:80", True),
            (b"http://evil.example.com", False),
            (b"http://testserver.evil.example.com", False),
            (b"http://testserver:8080", False),
            (b"http://testserver@evil.example.com", False),
            (b"null", False),
            (b"", False),
            (b"file://", False),
            (b"ftp://testserver", False),
            (b"testserver", False),
            (None, False),
        ],
    )
    async def test_only_our_own_pages_may(
        self, hub: Hub, cookie: bytes, settings: Any, origin: bytes | None, accepted: bool
    ) -> None:
        settings.CSRF_TRUSTED_ORIGINS = ["https://wall.example.com"]
        headers = [HOST, (b"cookie", cookie)] + ([] if origin is None else [(b"origin", origin)])
        socket = Socket(*headers)
        assert await socket.open() is accepted
        await socket.close()

    async def test_two_origins_or_a_name_that_is_not_ours_are_refused(
        self, hub: Hub, cookie: bytes
    ) -> None:
        for headers in (
            [HOST, ORIGIN, (b"origin", b"http://evil.example.com")],
            [(b"host", b"evil.example.com"), (b"origin", b"http://evil.example.com")],
        ):
            socket = Socket(*headers, (b"cookie", cookie))
            assert not await socket.open()
            await socket.close()

    async def test_plain_http_is_no_origin_of_an_https_site(
        self, hub: Hub, cookie: bytes, settings: Any
    ) -> None:
        settings.HTTPS = True
        socket = Socket(HOST, ORIGIN, (b"cookie", cookie))
        assert not await socket.open()
        await socket.close()

    async def test_without_a_session_it_is_closed_with_a_code_of_its_own(
        self, hub: Hub, cameras: None
    ) -> None:
        for cookie in (b"", b"sessionid=abcdefgh", b'sessionid="\xff', b";;=;sessionid"):
            socket = Socket(HOST, ORIGIN, (b"cookie", cookie))
            assert await socket.open()
            assert await socket.next() == {"type": "closed", "code": consumers.CLOSE_LOGGED_OUT}
            await socket.close()

    async def test_a_token_needs_no_origin(self, hub: Hub, cameras: None, gate: Camera) -> None:
        token = await sync_to_async(lambda: issue(User.objects.create_user("robot")))()
        socket = Socket(HOST, (b"authorization", b"Bearer " + token.encode()))
        assert await socket.open()
        await socket.send(type="watch", camera="gate")
        await socket.until(gate.show, type="frame")
        await socket.close()

    async def test_a_wrong_token_is_refused_also_beside_a_session(
        self, hub: Hub, cookie: bytes
    ) -> None:
        for headers in ([], [(b"cookie", cookie)]):
            socket = Socket(HOST, (b"authorization", b"Bearer nonsense"), *headers)
            assert not await socket.open()
            await socket.close()

    async def test_a_token_does_not_excuse_a_foreign_origin(self, hub: Hub, cameras: None) -> None:
        token = await sync_to_async(lambda: issue(User.objects.create_user("robot")))()
        socket = Socket(
            HOST,
            (b"origin", b"http://evil.example.com"),
            (b"authorization", b"Bearer " + token.encode()),
        )
        assert not await socket.open()
        await socket.close()
