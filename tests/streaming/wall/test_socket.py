from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client

from cameras.models import Camera as CameraRow
from sightline.kafka import topics
from sightline.messages import CameraState, Detection
from streaming.hub.hub import Hub
from streaming.visitors.tokens import issue
from streaming.wall import socket as consumers
from tests.streaming.conftest import Camera

pytestmark = pytest.mark.django_db(transaction=True)

ORIGIN = (b"origin", b"http://testserver")
HOST = (b"host", b"testserver")


class Socket:
    """A viewer's end of the wall's socket."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        from sightline.asgi import application

        self.communicator = WebsocketCommunicator(application, "/ws/wall/", headers=list(headers))
        self.frames: list[dict[str, Any]] = []
        self.pictures: list[bytes] = []

    async def open(self) -> bool:
        connected, _ = await self.communicator.connect(timeout=5)
        return bool(connected)

    async def send(self, **message: Any) -> None:
        await self.communicator.send_to(text_data=json.dumps(message))

    async def next(self, seconds: float = 5) -> dict[str, Any]:
        """The next message as JSON; a picture's header as type "frame"."""
        # The communicator's own method would cancel the application when nothing came.
        async with asyncio.timeout(seconds):
            event = await self.communicator.output_queue.get()
        if event["type"] == "websocket.close":
            return {"type": "closed", "code": event.get("code")}
        if event.get("text"):
            message: dict[str, Any] = json.loads(event["text"])
            return message
        data = event["bytes"]
        length = int.from_bytes(data[:4], "big")
        self.pictures.append(data[4 + length :])
        return {"type": "frame", **json.loads(data[4 : 4 + length])}

    async def until(
        self, again: Callable[[], Any] | None = None, *, type: str, **fields: Any
    ) -> dict[str, Any]:
        """The next message of that type with these fields."""
        for _ in range(400):
            if again is not None:
                again()
            try:
                message = await self.next(0.1 if again else 5)
            except TimeoutError:
                continue
            if message["type"] == type and all(
                message.get(name) == value for name, value in fields.items()
            ):
                return message
            assert message["type"] != "closed", message
        raise AssertionError(f"no {type} {fields} came")

    async def close(self) -> None:
        await self.communicator.disconnect()


@pytest.fixture
def cameras(db: None) -> None:
    for slug in ("gate", "yard"):
        CameraRow.objects.create(slug=slug, name=slug.title(), kind="demo", url="demo:conveyor")


@pytest.fixture
def cookie(cameras: None) -> bytes:
    client = Client()
    client.force_login(User.objects.create_user("olga"))
    return f"sessionid={client.cookies['sessionid'].value}".encode()


@pytest.fixture
async def socket(hub: Hub, cookie: bytes) -> AsyncIterator[Socket]:
    socket = Socket(HOST, ORIGIN, (b"cookie", cookie))
    assert await socket.open()
    assert (await socket.next())["type"] == "hello"
    yield socket
    await socket.close()


async def test_a_watched_camera_is_shown(socket: Socket, gate: Camera) -> None:
    await socket.send(type="watch", camera="gate", fps=30, width=320)
    sent = []
    header = await socket.until(lambda: sent.append(gate.show()), type="frame")
    frame = next(frame for frame in sent if frame.seq == header["seq"])
    assert header["camera"] == "gate"
    assert header["captured_at"] == frame.captured_at
    assert header["sent_at"] > frame.captured_at
    assert socket.pictures == [frame.jpeg]


async def test_predictions_and_status_are_passed_on(socket: Socket, gate: Camera) -> None:
    await socket.send(type="watch", camera="gate")
    frame = gate.show()
    message = await socket.until(
        lambda: gate.predict(frame, Detection("qr", 0.9, (0, 0, 0.5, 0.5), text="A1")),
        type="predictions",
    )
    assert message["frame"]["captured_at"] == frame.captured_at
    assert message["predictions"] == [
        {"label": "qr", "score": 0.9, "box": [0, 0, 0.5, 0.5], "text": "A1"}
    ]
    message = await socket.until(
        lambda: gate.report(CameraState.STALLED, "Nothing comes."), type="status", state="stalled"
    )
    assert (message["camera"], message["detail"], message["codec"]) == (
        "gate",
        "Nothing comes.",
        "demo",
    )


async def test_a_picture_is_scaled_to_the_tile(socket: Socket, gate: Camera) -> None:
    await socket.send(type="watch", camera="gate", width=150)
    header = await socket.until(gate.show, type="frame")
    assert (header["width"], header["height"]) == (160, 90)


async def test_two_unacknowledged_frames_are_the_most(
    socket: Socket, gate: Camera, new_camera: Callable[[str], Camera]
) -> None:
    yard = new_camera("yard")
    await socket.send(type="watch", camera="gate", fps=60)
    first = await socket.until(gate.show, type="frame")
    second = await socket.until(gate.show, type="frame")
    await socket.send(type="watch", camera="yard", fps=60)
    # The other tile's frames show that the first would have had its turn.
    for _ in range(5):
        message = await socket.until(lambda: (gate.show(), yard.show()), type="frame")
        assert message["camera"] == "yard"
        await socket.send(type="ack", camera="yard", seq=message["seq"])
    await socket.send(type="ack", camera="gate", seq=first["seq"])
    third = await socket.until(lambda: (gate.show(), yard.show()), type="frame", camera="gate")
    assert third["seq"] > second["seq"] + 1, "what came meanwhile was skipped"


async def test_nothing_comes_of_a_camera_that_is_unwatched(
    socket: Socket, gate: Camera, new_camera: Callable[[str], Camera]
) -> None:
    yard = new_camera("yard")
    await socket.send(type="watch", camera="gate")
    await socket.until(gate.show, type="frame")
    await socket.send(type="unwatch", camera="gate")
    await socket.send(type="watch", camera="yard")
    await socket.until(yard.show, type="frame", camera="yard")
    gate.show()
    await socket.send(type="ping", t=1)
    message = await socket.next()
    while message["type"] != "pong":
        assert message.get("camera") != "gate"
        message = await socket.next()


async def test_at_0_fps_each_state_is_told_once_and_nothing_else(
    socket: Socket, gate: Camera, new_camera: Callable[[str], Camera]
) -> None:
    yard = new_camera("yard")
    await socket.send(type="watch", cameras=["gate", "yard"])
    await socket.until(gate.show, type="frame", camera="gate")
    await socket.send(type="watch", cameras=["gate"], fps=0)
    await socket.until(
        lambda: gate.report(CameraState.STALLED), type="status", camera="gate", state="stalled"
    )
    same = gate.report(CameraState.LIVE)
    for _ in range(3):
        gate.predict(gate.show(), Detection("qr", 0.9))
        gate.producer.send(topics.status(), same.to_json(), key=same.key)
    last = yard.report(CameraState.STALLED, "the last word")
    told = []

    async def read_until(name: str, value: str) -> None:
        while (message := await socket.next()).get(name) != value:
            if message.get("camera") == "gate":
                told.append((message["type"], message["state"]))

    await read_until("detail", last.detail)
    # Both states may go out in one round, in any order; the answer to a ping comes after them.
    await socket.send(type="ping", t=1)
    await read_until("type", "pong")
    assert [item for item in told if item[1] != "stalled"] == [("status", "live")]
    await socket.send(type="watch", camera="gate", fps=10)
    await socket.until(gate.show, type="frame", camera="gate")


async def test_a_camera_that_nobody_reports_is_unknown(
    socket: Socket, hub: Hub, gate: Camera
) -> None:
    hub.started_at -= 60
    await socket.send(type="watch", camera="gate")
    message = await socket.until(type="status")
    assert (message["state"], message["detail"]) == (
        "unknown",
        "No capture worker reports this camera.",
    )
    again = await socket.until(type="status")
    assert again["since"] == message["since"]


async def test_a_ping_is_answered_with_the_servers_clock(socket: Socket) -> None:
    await socket.send(type="ping", t=12.5)
    message = await socket.until(type="pong")
    assert message["t"] == 12.5
    assert message["now"] > 1e18


async def test_it_says_whether_kafka_answers(socket: Socket) -> None:
    assert (await socket.until(type="system"))["kafka"] is True


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "{",
        "[]",
        "null",
        '"watch"',
        "[" * 10_000,
        '{"type":"fly"}',
        '{"type":"watch"}',
        '{"type":"watch","camera":5}',
        '{"type":"watch","camera":"gate","fps":0.05}',
        '{"type":"watch","cameras":[]}',
        '{"type":"watch","cameras":["gate",1]}',
        '{"type":"watch","camera":"gate","fps":NaN}',
        '{"type":"watch","camera":"gate","width":"x"}',
        '{"type":"watch","camera":"gate","fps":true}',
        '{"type":"ack","camera":"gate","seq":"1"}',
        '{"type":"ping","t":Infinity}',
        '{"type":"watch","camera":"' + "x" * 500 + '"}',
        '{"type":"watch","camera":"a\\ud800"}',
    ],
)
async def test_a_bad_message_is_answered_and_the_socket_stays(socket: Socket, text: str) -> None:
    await socket.communicator.send_to(text_data=text)
    assert (await socket.until(type="error"))["message"]
    await socket.send(type="ping", t=1)
    await socket.until(type="pong")


async def test_bytes_are_no_message(socket: Socket) -> None:
    await socket.communicator.send_to(bytes_data=b"\x00")
    assert (await socket.until(type="error"))["message"]


async def test_an_unknown_camera_is_refused_as_one_of_others_is(socket: Socket) -> None:
    await socket.send(type="watch", camera="vault")
    error = await socket.until(type="error", camera="vault")
    assert "permission" in error["message"]
    assert (await socket.until(type="status", camera="vault"))["state"] == "forbidden"


async def test_too_many_messages_close_the_socket(socket: Socket) -> None:
    for _ in range(300):
        await socket.send(type="ping", t=1)
    message = await socket.next()
    while message["type"] != "closed":
        message = await socket.next()
    assert message["code"] == consumers.CLOSE_TOO_MUCH


async def test_acknowledgements_are_not_too_many(socket: Socket) -> None:
    for seq in range(1000):
        await socket.send(type="ack", camera="gate", seq=seq)
    await socket.send(type="ping", t=1)
    await socket.until(type="pong")


async def test_too_large_a_message_closes_the_socket(socket: Socket) -> None:
    await socket.communicator.send_to(text_data=json.dumps({"type": "ping", "x": "y" * 70_000}))
    message = await socket.next()
    while message["type"] != "closed":
        message = await socket.next()
    assert message["code"] == consumers.CLOSE_TOO_LARGE


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


async def test_a_viewer_who_leaves_leaves_nothing_behind(
    hub: Hub, cookie: bytes, gate: Camera
) -> None:
    socket = Socket(HOST, ORIGIN, (b"cookie", cookie))
    assert await socket.open()
    await socket.send(type="watch", camera="gate")
    await socket.until(gate.show, type="frame")
    await socket.close()
    bridges = list(hub._bridges.values())
    assert [bridge.viewers for bridge in bridges] == [{}]
    assert [bridge.subscriptions for bridge in bridges] == [set()]


async def test_a_standing_picture_is_sent_again_at_a_new_size(socket: Socket, gate: Camera) -> None:
    gate.show()
    await socket.send(type="watch", camera="gate", width=160)
    first = await socket.until(type="frame")
    await socket.send(type="ack", camera="gate", seq=first["seq"])
    await socket.send(type="watch", camera="gate", width=320)
    again = await socket.until(type="frame")
    assert (first["seq"], first["width"], again["width"]) == (again["seq"], 160, 320)
