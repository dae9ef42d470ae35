"""Kafka that breaks: cameras and the web stay up, people are told, all goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from confluent_kafka.admin import AdminClient

from tests.faults.rig import CAMERA_LOGIN, Rig, last_for, since
from tests.faults.table import Row, Table
from tests.faults.watcher import Told, Watcher
from tests.servers.mjpeg import MjpegServer
from tests.servers.proxy import FaultProxy
from tests.servers.rtsp import RtspServer
from tests.servers.video import scene_video
from tests.servers.waiting import wait_until

OUTAGE_SECONDS = 60.0
BANNER = 10.0
RESUME = 5.0
MEMORY = 64.0
CONVEYOR = "conveyor"  # the demo camera, with a model that reads its codes
TOO_LARGE = (
    8 * 2**20 - 16
)  # a picture that may be so large, but not together with its record's key and headers

Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Resumed:
    """Seconds until fresh pictures and fresh predictions came."""

    pictures: float
    predictions: float

    @property
    def missed(self) -> str:
        """What came too late, in words; pictures have their own column."""
        return (
            f"predictions came after {self.predictions:.1f} s, bound {RESUME:g} s"
            if self.predictions > RESUME
            else ""
        )

    def __str__(self) -> str:
        return f"Pictures after {self.pictures:.1f} s, predictions after {self.predictions:.1f} s."


@dataclass(frozen=True, slots=True)
class Yard:
    """An RTSP camera behind a proxy that counts what it sends, the demo camera with its model,
    and somebody who watches both.
    """

    rig: Rig
    link: FaultProxy
    watcher: Watcher
    slug: str = "yard"

    def row(self, fault: str, expected: str, hurt: Act, heal: Act, lasting: float) -> Row:
        """Break Kafka, wait for the banner, let it last, mend it and wait until all goes on."""
        before, pids = self.watcher.dropped(self.slug), self.rig.pids()
        usual = self.flow(5)
        with self.rig.memory() as memory:
            broken = time.monotonic()
            hurt()
            told = self.watcher.wait_kafka(False, since=broken)
            meanwhile = self.flow(max(5.0, lasting - since(broken)))
            heal()
            healed = time.monotonic()
            recovered = self.resumed(healed)
            wait_until(
                lambda: self.watcher.dropped(self.slug) > before, 20, "the losses to be counted"
            )
        missed = [
            recovered.missed,
            self.replaced(pids),
            (
                ""
                if meanwhile > usual / 2
                else f"the camera was read at {meanwhile / usual:.0%} of its rate"
            ),
        ]
        return Row(
            fault,
            expected,
            detect_s=since(broken, told.at),
            recover_s=recovered.pictures,
            bound_detect_s=BANNER,
            bound_recover_s=RESUME,
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            dropped=self.watcher.dropped(self.slug) - before,
            secrets=self.rig.secrets(),
            missed="; ".join(filter(None, missed)),
            note=(
                f"{recovered} Meanwhile the camera was read at {meanwhile / usual:.0%} of its rate."
            ),
        )

    def flow(self, seconds: float) -> float:
        """Bytes a second that the camera gets rid of, over so many seconds."""
        begun = self.link.bytes_down
        last_for(seconds)
        return (self.link.bytes_down - begun) / seconds

    def resumed(self, healed: float, timeout: float = 90) -> Resumed:
        """Waits until both cameras' pictures and the model's predictions, all captured after
        that moment, have come.
        """
        moment = time.time_ns() - int((time.monotonic() - healed) * 1e9)
        pictures = max(
            self.watcher.wait_fresh(slug, healed, timeout).at for slug in (self.slug, CONVEYOR)
        )

        def predicted() -> list[Told]:
            return [
                told
                for told in self.watcher.messages("predictions", healed)
                if told["frame"]["captured_at"] > moment
            ]

        prediction = wait_until(predicted, timeout, "predictions")[0].at
        self.watcher.wait_state(self.slug, "live", since=healed, timeout=timeout)
        return Resumed(since(healed, pictures), since(healed, prediction))

    def replaced(self, pids: dict[str, int]) -> str:
        """What happened to processes that should have stayed."""
        changed = [name for name, pid in self.rig.pids().items() if pids[name] != pid]
        return f"replaced: {', '.join(changed)}. {self.rig.crashes()}" if changed else ""


@pytest.fixture(scope="module")
def yard(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    folder = tmp_path_factory.mktemp("yard")
    with ExitStack() as running:
        server = running.enter_context(
            RtspServer(
                scene_video(folder / "scene.mp4"), log=folder / "rtsp.log", login=CAMERA_LOGIN
            )
        )
        link = running.enter_context(FaultProxy(server.port))
        rig.add_rtsp("yard", link.port)
        running.callback(rig.operator.delete_camera, "yard")
        yield Yard(rig, link, running.enter_context(rig.watching("yard", CONVEYOR)))


@pytest.fixture(autouse=True)
def steady(yard: Yard) -> None:
    """All is well, and has been for some seconds, before something breaks."""
    yard.resumed(time.monotonic())
    last_for(5)


def test_kafka_is_stopped_for_a_minute(yard: Yard, table: Table) -> None:
    kafka = yard.rig.kafka
    table.add(
        yard.row(
            "Kafka is stopped for 60 s",
            "a banner; all goes on by itself",
            kafka.stop,
            lambda: bring_back(yard),
            OUTAGE_SECONDS,
        )
    )


def test_kafka_is_black_holed_for_a_minute(yard: Yard, table: Table) -> None:
    link = yard.rig.link
    expected = "a banner; all goes on by itself"
    table.add(
        yard.row(
            "Kafka's network swallows everything for 60 s",
            expected,
            link.black_hole,
            link.forward,
            OUTAGE_SECONDS,
        )
    )


def test_kafka_is_killed(yard: Yard, table: Table) -> None:
    kafka = yard.rig.kafka
    table.add(
        yard.row(
            "Kafka is killed (SIGKILL) while records are written",
            "as above",
            kafka.kill,
            lambda: bring_back(yard),
            10,
        )
    )


def test_kafka_is_frozen(yard: Yard, table: Table) -> None:
    kafka = yard.rig.kafka
    table.add(
        yard.row("Kafka is frozen (SIGSTOP) for 20 s", "as above", kafka.pause, kafka.resume, 20)
    )


def bring_back(yard: Yard) -> None:
    """Kafka answers again when this returns: what it takes to start is not ours."""
    yard.rig.kafka.start()


@pytest.mark.parametrize("kind", ["frames", "predictions", "status"])
def test_a_topic_is_deleted(yard: Yard, table: Table, kind: str) -> None:
    rig = yard.rig
    name = "sightline.status" if kind == "status" else f"sightline.cameras.{CONVEYOR}.{kind}"
    pids = rig.pids()
    client = AdminClient({"bootstrap.servers": rig.kafka.bootstrap})
    with rig.memory() as memory:
        client.delete_topics([name])[name].result(10)
        deleted = time.monotonic()
        recovered = yard.resumed(deleted)
        yard.watcher.wait_state(CONVEYOR, "live", since=deleted)
    table.add(
        Row(
            f"Somebody deletes a topic of {kind}",
            "it is made anew",
            recover_s=recovered.pictures,
            bound_recover_s=RESUME,
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            secrets=rig.secrets(),
            missed="; ".join(filter(None, [recovered.missed, yard.replaced(pids)])),
            note=str(recovered),
        )
    )


def test_two_seconds_of_latency(yard: Yard, table: Table) -> None:
    rig, watcher, pids = yard.rig, yard.watcher, yard.rig.pids()
    usual = yard.flow(5)
    with rig.memory() as memory:
        broken = time.monotonic()
        rig.link.delay(1.0)
        old = wait_until(
            lambda: [frame for frame in watcher.seen(CONVEYOR, broken) if frame.age > 2],
            30,
            "a picture that is late",
        )[0]
        meanwhile = yard.flow(40)
        ages = sorted(frame.age for frame in watcher.seen(CONVEYOR, broken + 10))
        banners = len(watcher.messages("system", broken, kafka=False))
        rig.link.forward()
        healed = time.monotonic()
        recovered = yard.resumed(healed)
    note = (
        f"{len(ages) / 30:.1f} pictures a second, {ages[0]:.1f} to {ages[-1]:.1f} s old, shown as"
        f" late. {banners} banners."
        if ages
        else "No pictures."
    )
    missed = [
        recovered.missed,
        yard.replaced(pids),
        "" if meanwhile > usual / 2 else "the camera was held up",
    ]
    table.add(
        Row(
            "2 s of latency to Kafka and back",
            "late pictures, told by their age; all goes on by itself",
            detect_s=since(broken, old.at),
            recover_s=recovered.pictures,
            bound_detect_s=BANNER,
            bound_recover_s=RESUME,
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            dropped=watcher.dropped(CONVEYOR),
            secrets=rig.secrets(),
            missed="; ".join(filter(None, missed)),
            note=f"{note} {recovered}",
        )
    )


def noise(width: int, height: int) -> bytes:
    """A JPEG that is as large as JPEGs get."""
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=95))


def padded(jpeg: bytes, size: int) -> bytes:
    """The same picture with comments in it (ISO/IEC 10918-1, B.2.4.5), so that it takes `size`
    bytes.
    """
    comments = bytearray()
    while (left := size - len(jpeg) - len(comments)) > 0:
        length = min(left, 60_000) if left - min(left, 60_000) not in range(1, 5) else left - 5
        comments += b"\xff\xfe" + (length - 2).to_bytes(2, "big") + bytes(length - 4)
    return jpeg[:2] + bytes(comments) + jpeg[2:]


def test_the_queue_is_full(yard: Yard, table: Table) -> None:
    rig = yard.rig
    with MjpegServer([noise(1280, 720)], fps=15) as camera, ExitStack() as running:
        rig.operator.add_camera("heavy", "mjpeg", camera.url, fps="15")
        running.callback(rig.operator.delete_camera, "heavy")
        watcher = running.enter_context(rig.watching("heavy", fps=1, width=320))
        watcher.wait_fresh("heavy", time.monotonic())
        last_for(5)
        with rig.memory() as memory:
            before = watcher.dropped("heavy")
            rig.link.black_hole()
            broken, sent = time.monotonic(), camera.frames_sent
            told = watcher.wait_kafka(False, since=broken)
            last_for(max(0.0, 30 - since(broken)))
            rate = (camera.frames_sent - sent) / since(broken)
            rig.link.forward()
            healed = time.monotonic()
            seen = watcher.wait_fresh("heavy", healed)
            wait_until(lambda: watcher.dropped("heavy") > before, 20, "the losses to be counted")
        dropped = watcher.dropped("heavy") - before
    size = len(noise(1280, 720)) / 2**20
    table.add(
        Row(
            "The queue to Kafka is full: 30 s of black hole",
            "pictures are dropped and counted, the camera is never held up",
            detect_s=since(broken, told.at),
            recover_s=since(healed, seen.at),
            bound_detect_s=BANNER,
            bound_recover_s=RESUME,
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            dropped=dropped,
            secrets=rig.secrets(),
            missed="" if rate > 14 else "the camera was held up",
            note=(
                f"A camera with 15 pictures of {size:.1f} MiB a second; it was read at {rate:.1f} a"
                " second."
            ),
        )
    )


def test_a_picture_above_the_limit(yard: Yard, table: Table, tmp_path: Path) -> None:
    rig = yard.rig
    small = noise(320, 180)
    large = padded(small, TOO_LARGE)
    size = [small]
    with MjpegServer(lambda _: size[0], fps=2) as camera, ExitStack() as running:
        rig.operator.add_camera("huge", "mjpeg", camera.url)
        running.callback(rig.operator.delete_camera, "huge")
        watcher = running.enter_context(rig.watching("huge"))
        watcher.wait_fresh("huge", time.monotonic())
        with rig.memory() as memory:
            size[0], broken = large, time.monotonic()
            told = watcher.wait_state("huge", "degraded", since=broken)
            last_for(10)
            size[0], healed = small, time.monotonic()
            seen = watcher.wait_fresh("huge", healed)
            dropped = watcher.dropped("huge")
    table.add(
        Row(
            "Pictures above the limit of records",
            "refused at once and counted, told in words",
            detect_s=since(broken, told.at),
            recover_s=since(healed, seen.at),
            bound_detect_s=BANNER,
            bound_recover_s=RESUME,
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            dropped=dropped,
            secrets=rig.secrets(),
            missed="" if dropped else "none was counted",
            note=f"Told: {told['detail']}",
        )
    )


def test_nothing_has_crashed(yard: Yard, table: Table) -> None:
    """No library has ended a process in all of this."""
    assert not yard.rig.crashes()
    table.add(
        Row("All of the above", "no process crashed", note="Python's faulthandler wrote nothing.")
    )
