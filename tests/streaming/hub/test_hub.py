from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from sightline.kafka import topics
from sightline.messages import Detection
from streaming.hub.channels import Channel, ChannelKind
from streaming.hub.hub import Hub
from streaming.hub.reader import AWAY
from streaming.hub.subscriptions import PREDICTIONS_PER_CAMERA, Subscription
from tests.streaming.conftest import Broker, Camera, Rolling

FRAMES = Channel("gate", ChannelKind.FRAMES)
PREDICTIONS = Channel("gate", ChannelKind.PREDICTIONS)
STATUS = Channel("gate", ChannelKind.STATUS)


async def until(
    condition: Callable[[], Any],
    subscription: Subscription,
    seconds: float = 20.0,
    again: Callable[[], Any] | None = None,
) -> Any:
    """The first true result of ``condition``, looked at whenever the viewer is woken, and ten
    times a second.
    """
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        if again is not None:
            again()
        await subscription.wait(0.1)
    return result


def newest(hub: Hub, channel: Channel = FRAMES) -> int:
    picture = hub.frame(channel)
    return picture.frame.seq if picture else 0


async def test_it_gives_a_viewer_the_newest_frame(hub: Hub, gate: Camera) -> None:
    viewer = hub.subscribe()
    viewer.watch(FRAMES)
    await until(lambda: hub.frame(FRAMES), viewer, again=gate.show)
    last = [gate.show() for _ in range(50)][-1]
    await until(lambda: newest(hub) == last.seq, viewer)
    assert hub.frame(FRAMES).frame.jpeg == last.jpeg  # type: ignore[union-attr]
    viewer.close()


async def test_a_late_viewer_gets_the_last_picture_at_once(hub: Hub, gate: Camera) -> None:
    frame = gate.show()
    gate.producer.flush(5)
    viewer = hub.subscribe()
    viewer.watch(FRAMES)
    await until(lambda: newest(hub) == frame.seq, viewer)
    viewer.close()


async def test_it_wakes_the_loop_once_for_many_records(hub: Hub, gate: Camera) -> None:
    viewer = hub.subscribe()
    viewer.watch(FRAMES)
    await until(lambda: hub.frame(FRAMES), viewer, again=gate.show)
    last = [gate.show() for _ in range(100)][-1]
    gate.producer.flush(5)
    time.sleep(0.5)  # noqa: ASYNC251  the loop is kept from looking while the hub reads on
    viewer.take_fresh()
    await viewer.wait(5)
    assert viewer.take_fresh() == {FRAMES}
    assert newest(hub) == last.seq
    await viewer.wait(0.05)
    assert viewer.take_fresh() == set()
    viewer.close()


async def test_predictions_are_forwarded_in_order_and_bounded(hub: Hub, gate: Camera) -> None:
    viewer = hub.subscribe()
    viewer.watch(PREDICTIONS)
    frame = gate.show()
    await until(lambda: viewer.predictions, viewer, again=lambda: gate.predict(frame))
    viewer.take_predictions("gate")
    last = ""
    for number in range(100):
        last = f"parcel {number}"
        gate.predict(frame, Detection("qr", 0.9, (0, 0, 1, 1), text=last))
    await until(
        lambda: any(last in item.text for item in viewer.predictions.get("gate", ())), viewer
    )
    taken = list(viewer.take_predictions("gate"))
    texts = [item.text for item in taken]
    assert {item.frame for item in taken} == {(frame.captured_at, frame.seq)}
    assert len(texts) == PREDICTIONS_PER_CAMERA
    assert texts[0].startswith('{"type":"predictions","camera":"gate","model":"qr"')
    assert "parcel 68" in texts[0]
    viewer.close()


async def test_what_is_no_prediction_of_this_camera_is_not_forwarded(
    hub: Hub, gate: Camera
) -> None:
    viewer = hub.subscribe()
    viewer.watch(PREDICTIONS)
    frame = gate.show()
    await until(lambda: viewer.predictions, viewer, again=lambda: gate.predict(frame))
    await asyncio.sleep(0)
    gate.producer.flush(5)
    viewer.take_predictions("gate")
    gate.predict(frame, camera="vault")
    for value in (b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"camera":"gate"}'):
        gate.producer.send(topics.predictions("gate"), value)
    good = gate.predict(frame, Detection("a", 0.5))
    nan = good.to_json().replace(b"0.5", b"NaN")
    gate.producer.send(topics.predictions("gate"), nan)
    gate.predict(frame, Detection("end", 0.5))
    await until(
        lambda: any('"end"' in item.text for item in viewer.predictions.get("gate", ())), viewer
    )
    texts = [
        item.text for item in viewer.take_predictions("gate") if '"predictions":[]' not in item.text
    ]
    assert len(texts) == 2
    assert hub.malformed >= 8
    viewer.close()


async def test_an_unwatched_camera_is_read_no_more_after_the_linger(hub: Hub, gate: Camera) -> None:
    viewer, other = hub.subscribe(), hub.subscribe()
    viewer.watch(FRAMES)
    await until(lambda: hub.frame(FRAMES), viewer, again=gate.show)
    viewer.unwatch(FRAMES)
    viewer.watch(FRAMES)
    assert newest(hub), "a viewer who is back within the linger finds the picture still there"
    viewer.close()
    await until(lambda: hub.frame(FRAMES) is None, other)
    gate.show()
    gate.report()
    other.watch(STATUS)
    await until(lambda: hub.status("gate"), other, again=gate.report)
    assert hub.frame(FRAMES) is None
    other.close()


async def test_only_watched_cameras_are_kept(
    hub: Hub, gate: Camera, new_camera: Callable[[str], Camera]
) -> None:
    yard = new_camera("yard")
    viewer = hub.subscribe()
    viewer.watch(FRAMES)
    await until(lambda: hub.frame(FRAMES), viewer, again=lambda: (gate.show(), yard.show()))
    assert set(hub.frames) == {FRAMES}
    viewer.close()


async def test_the_status_of_any_camera_is_known(hub: Hub, gate: Camera) -> None:
    viewer = hub.subscribe()
    viewer.watch(STATUS)
    status = await until(lambda: hub.status("gate"), viewer, again=gate.report)
    assert (status.camera, status.state) == ("gate", "live")
    viewer.close()


async def test_a_camera_that_nobody_reports_any_more_has_no_status(
    hub: Hub, gate: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = hub.subscribe()
    viewer.watch(STATUS)
    await until(lambda: hub.status("gate"), viewer, again=gate.report)
    monkeypatch.setattr("streaming.hub.hub.STATUS_SECONDS", 0.0)
    assert hub.status("gate") is None
    viewer.close()


async def test_a_burst_leaves_one_picture(hub: Hub, gate: Camera) -> None:
    viewer = hub.subscribe()
    viewer.watch(FRAMES)
    await until(lambda: hub.frame(FRAMES), viewer, again=gate.show)
    for _ in range(5):
        # More than the broker keeps: the hub goes on with what comes next.
        last = [gate.show(b"\xff\xd8" + bytes(200_000)) for _ in range(60)][-1]
        await until(lambda seq=last.seq: newest(hub) > seq, viewer, again=gate.show)  # type: ignore[misc]
    assert len(hub.frames) == 1
    viewer.close()


async def test_viewers_are_told_no_shell_commands(
    hub: Hub, settings: Settings, tmp_path: Path
) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS, settings.DATA_DIR = "", tmp_path
    viewer = hub.subscribe()
    await until(lambda: not hub.kafka.reachable, viewer, 10)
    assert hub.kafka.detail == AWAY
    viewer.close()


@pytest.mark.slow
@pytest.mark.parametrize("noticed", [True, False])
async def test_it_recovers_from_a_restarted_broker_that_lost_everything(
    hub: Hub, gate: Camera, kafka: Broker, noticed: bool
) -> None:
    viewer = hub.subscribe()
    viewer.watch(FRAMES, PREDICTIONS, STATUS)
    with Rolling(gate) as rolling:
        await until(lambda: len(rolling.sent) > 20 and newest(hub), viewer)
        kafka.kill()
        if noticed:
            await until(lambda: not hub.kafka.reachable, viewer, 10)
        kafka.start()
        mark = rolling.sent[-1].seq
        await until(lambda: newest(hub) > mark + 5, viewer)
        await until(lambda: hub.kafka.reachable, viewer)
        await until(
            lambda: viewer.predictions, viewer, again=lambda: gate.predict(rolling.sent[-1])
        )
        await until(lambda: hub.status("gate"), viewer)
    viewer.close()
