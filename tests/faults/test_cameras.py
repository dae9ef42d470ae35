"""Cameras that break: each in its own way, between the camera and us."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest

from tests.faults.rig import CAMERA_LOGIN, Rig, last_for, since
from tests.faults.rtp import Corrupter, Damage
from tests.faults.table import Row, Table
from tests.faults.watcher import Watcher
from tests.servers.login import Login
from tests.servers.proxy import FaultProxy
from tests.servers.rtsp import RtspServer
from tests.servers.video import scene_video
from tests.servers.waiting import wait_until

SILENT_SECONDS = 40.0
DETECT = 10.0
RECOVER = 5.0
MEMORY = 64.0

Act = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Porch:
    """An RTSP camera of the rig behind a proxy, and somebody who watches it."""

    rig: Rig
    server: RtspServer
    link: FaultProxy
    watcher: Watcher
    slug: str = "porch"

    def row(
        self,
        fault: str,
        expected: str,
        hurt: Act,
        state: str,
        *,
        lasting: float = 0.0,
        bound: float = RECOVER,
        heal: Act | None = None,
    ) -> Row:
        """Break it, wait until the viewer is told `state`, let the fault last, end it and wait
        for fresh pictures.
        """
        with self.rig.memory() as memory:
            before = self.watcher.dropped(self.slug)
            broken = time.monotonic()
            hurt()
            told = self.watcher.wait_state(self.slug, state, since=broken)
            last_for(max(0.0, lasting - since(broken)))
            healed = time.monotonic()
            (heal or self.link.forward)()
            seen = self.watcher.wait_fresh(self.slug, healed, timeout=120)
        return Row(
            fault,
            expected,
            detect_s=since(broken, told.at),
            recover_s=since(healed, seen.at),
            bound_detect_s=DETECT,
            bound_recover_s=bound,
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            dropped=max(0, self.watcher.dropped(self.slug) - before),
            secrets=self.rig.secrets(),
            note=f"Told: {told['state']}. {told['detail']}",
        )


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("videos")
    return scene_video(folder / "small.mp4"), scene_video(
        folder / "large.mp4", width=1280, height=720
    )


@contextmanager
def camera(rig: Rig, folder: Path, *videos: Path, slug: str = "porch") -> Iterator[Porch]:
    """The camera, live, for the length of the block."""
    with ExitStack() as running:
        server = running.enter_context(
            RtspServer(*videos, log=folder / "rtsp.log", login=CAMERA_LOGIN)
        )
        link = running.enter_context(FaultProxy(server.port))
        rig.add_rtsp(slug, link.port)
        running.callback(rig.operator.delete_camera, slug)
        watcher = running.enter_context(rig.watching(slug))
        started = time.monotonic()
        watcher.wait_state(slug, "live", since=started)
        watcher.wait_fresh(slug, started)
        yield Porch(rig, server, link, watcher, slug)
        link.forward()


@pytest.fixture(scope="module")
def porch(
    rig: Rig, videos: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Porch]:
    with camera(rig, tmp_path_factory.mktemp("porch"), videos[0]) as porch:
        yield porch


@pytest.fixture(autouse=True)
def steady(request: pytest.FixtureRequest) -> None:
    """Each fault meets a camera that has been well for long enough to be trusted again."""
    if "porch" in request.fixturenames:
        porch: Porch = request.getfixturevalue("porch")
        porch.watcher.wait_state(porch.slug, "live", since=time.monotonic())
        last_for(12)


def test_a_connection_that_is_reset(porch: Porch, table: Table) -> None:
    table.add(
        porch.row(
            "The camera's connection is reset",
            "connected again by itself",
            porch.link.reset,
            "unreachable",
        )
    )


def test_a_camera_that_falls_silent(porch: Porch, table: Table) -> None:
    accepted, broken = porch.link.accepted, time.monotonic()

    def hurt() -> None:
        porch.link.black_hole()

    row = porch.row(
        "The camera falls silent, the connection stays open",
        "`stalled`; connected anew within 20 s",
        hurt,
        "stalled",
        lasting=SILENT_SECONDS,
    )
    tries = porch.link.accepted - accepted
    missed = "" if tries else "nobody tried to connect anew"
    table.add(
        replace(
            row,
            missed=missed,
            note=f"Silent for {SILENT_SECONDS:g} s, {tries} attempts meanwhile. {row.note}",
        )
    )
    assert since(broken) > SILENT_SECONDS


def test_a_byte_a_second(porch: Porch, table: Table) -> None:
    row = porch.row(
        "The camera sends a byte a second",
        "`stalled`",
        lambda: porch.link.throttle(1),
        "stalled",
        lasting=SILENT_SECONDS,
    )
    table.add(row)


def test_an_unplugged_camera(porch: Porch, table: Table) -> None:
    row = porch.row(
        "The camera is unplugged",
        "`unreachable`",
        porch.link.refuse,
        "unreachable",
        lasting=SILENT_SECONDS,
    )
    table.add(row)


def test_damaged_video(porch: Porch, table: Table) -> None:
    damage = Damage(0.3)

    def hurt() -> None:
        porch.link.mangle(lambda: Corrupter(damage))
        porch.link.reset()  # the damage begins with the next connection
        porch.watcher.wait_state(porch.slug, "unreachable", since=time.monotonic() - 1)
        porch.watcher.wait_state(porch.slug, "degraded", "live", since=time.monotonic())

    def heal() -> None:
        damage.share = 0.0
        porch.link.forward()

    pids = porch.rig.pids()
    expected = "`degraded`; damaged pictures are dropped and counted"
    row = porch.row(
        "A third of the H.264 packets is damaged", expected, hurt, "degraded", lasting=20, heal=heal
    )
    table.add(replace(row, missed="" if porch.rig.pids() == pids else "a process was replaced"))


def test_a_camera_that_flaps(porch: Porch, table: Table) -> None:
    begun = time.monotonic()

    def hurt() -> None:
        for _ in range(10):
            porch.link.refuse()
            last_for(2)
            porch.link.forward()
            last_for(2)
        porch.link.refuse()

    expected = "5 new streams a minute at most, `unreachable` between them"
    row = porch.row("The camera comes and goes every 2 s", expected, hurt, "unreachable", bound=60)
    moments = [frame.at for frame in porch.watcher.seen(porch.slug, begun)]
    streams = (
        sum(now - before > 1 for before, now in itertools.pairwise(moments)) - 1
    )  # the last one is that of the recovery
    missed = f"{streams} streams were begun in 40 s" if streams > 5 else ""
    table.add(replace(row, missed=missed, note=f"{streams} streams in 40 s. {row.note}"))


def test_a_refused_password(
    rig: Rig, videos: tuple[Path, Path], tmp_path: Path, table: Table
) -> None:
    wrong = Login("watchman", "wr0ng-" + CAMERA_LOGIN.password)
    with ExitStack() as running:
        server = running.enter_context(
            RtspServer(videos[0], log=tmp_path / "rtsp.log", login=CAMERA_LOGIN)
        )
        link = running.enter_context(FaultProxy(server.port))
        broken = time.monotonic()
        rig.add_rtsp("gate", link.port, wrong)
        running.callback(rig.operator.delete_camera, "gate")
        watcher = running.enter_context(rig.watching("gate"))
        told = watcher.wait_state("gate", "auth-failed", since=broken)
        last_for(45)
        # One connection asks whether anybody is there, one is refused.
        attempts = link.accepted // 2
        rig.operator.change_camera("gate", new_password=CAMERA_LOGIN.password)
        healed = time.monotonic()
        seen = watcher.wait_fresh("gate", healed)
    table.add(
        Row(
            "The camera refuses the password",
            "`auth-failed`, tried every 30 s; live once the password is right",
            detect_s=since(broken, told.at),
            recover_s=since(healed, seen.at),
            bound_detect_s=DETECT,
            bound_recover_s=RECOVER,
            secrets=rig.secrets(),
            missed="" if attempts <= 3 else f"{attempts} attempts in 45 s",
            note=f"{attempts} attempts in 45 s. Told: {told['detail']}",
        )
    )


def test_another_resolution(
    rig: Rig, videos: tuple[Path, Path], tmp_path: Path, table: Table
) -> None:
    with camera(rig, tmp_path, *videos, slug="turning") as turning:

        def sizes() -> list[int]:
            widths = [frame.width for frame in turning.watcher.seen("turning")]
            return [now for before, now in itertools.pairwise(widths) if before != now]

        wait_until(lambda: len(sizes()) >= 4, 60, "the size to change four times")
        frames = turning.watcher.seen("turning")
    pauses = [
        now.at - before.at
        for before, now in itertools.pairwise(frames)
        if before.width != now.width
    ]
    states = {told["state"] for told in turning.watcher.messages("status", camera="turning")}
    table.add(
        Row(
            "The resolution changes (640x360 and 1280x720 in turn)",
            "the new size is shown; nothing is restarted",
            detect_s=round(max(pauses), 2),
            bound_detect_s=RECOVER,
            dropped=turning.watcher.dropped("turning"),
            secrets=rig.secrets(),
            note=f"{len(pauses)} changes. States meanwhile: {', '.join(sorted(states))}.",
        )
    )


class Others:
    """Demo cameras beside the one that fails."""

    def __init__(self, rig: Rig, count: int, fps: int) -> None:
        self.rig = rig
        self.slugs = [f"line{number}" for number in range(count)]
        self.fps = fps

    def __enter__(self) -> Self:
        for number, slug in enumerate(self.slugs):
            self.rig.operator.add_camera(
                slug, "demo", f"demo:conveyor?size=640x360&line={number + 1}", fps=str(self.fps)
            )
        return self

    def __exit__(self, *error: object) -> None:
        self.rig.operator.delete_cameras(*self.slugs)


def test_one_dead_camera_of_sixteen(porch: Porch, table: Table) -> None:
    with (
        Others(porch.rig, 15, fps=5) as others,
        porch.rig.watching(*others.slugs, width=640) as watcher,
    ):
        started = time.monotonic()
        for slug in others.slugs:
            watcher.wait_fresh(slug, started)
        last_for(5)
        begun = time.monotonic()
        last_for(20)
        before = {slug: watcher.rate(slug, begun) for slug in others.slugs}

        def hurt() -> None:
            porch.link.black_hole()

        broken = time.monotonic()
        row = porch.row(
            "One of 16 cameras dies",
            "`stalled`; the frame rates of the others change by less than 5 %",
            hurt,
            "stalled",
            lasting=30,
        )
        after = {slug: watcher.rate(slug, broken + 5, broken + 30) for slug in others.slugs}
    worst = max(abs(after[slug] / before[slug] - 1) * 100 for slug in others.slugs)
    missed = f"a frame rate changed by {worst:.1f} %" if worst >= 5 else ""
    table.add(
        replace(
            row, missed=missed, note=f"The frame rate that changed most: {worst:.1f} %. {row.note}"
        )
    )
