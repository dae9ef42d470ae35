from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sightline.kafka import topics
from sightline.messages import CameraState, Cause, Detection
from streaming.hub.hub import Hub
from streaming.wall import socket as consumers
from tests.streaming.conftest import Camera
from tests.streaming.sockets import HOST, ORIGIN, Socket

pytestmark = pytest.mark.django_db(transaction=True)


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
        lambda: gate.report(CameraState.STALLED, "Nothing comes.", Cause.SILENT),
        type="status",
        state="stalled",
    )
    assert (message["camera"], message["detail"], message["cause"], message["codec"]) == (
        "gate",
        "Nothing comes.",
        "silent",
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
