"""Disks that are full: that of the data folder, and Kafka's."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.faults.rig import Rig, last_for, since
from tests.faults.streams import longest_gap
from tests.faults.table import Row, Table
from tests.faults.test_stores import level, works
from tests.servers.waiting import wait_until

CAMERA = "conveyor"
FULL_SECONDS = 30.0
TOLD_SECONDS = 10.0
RECOVER_SECONDS = 5.0
STALL_SECONDS = 2.0
PATIENCE = 90
DATA_MIB = 64
KAFKA_MIB = 256
PROCESSES = ("web", "capture", "infer", "records", "imprint", "jobs")


@contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A disk of its own on a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder],
        check=False,
        capture_output=True,
        text=True,
    )
    if mount.returncode:
        pytest.skip(
            f"needs a disk of its own, which this user may not make: {mount.stderr.strip()}"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))
    return ballast


def test_the_data_folders_disk_is_full(tmp_path: Path, table: Table) -> None:
    with (
        small_disk(tmp_path / "data", DATA_MIB) as data,
        Rig(tmp_path / "rig", {"DATA_DIR": str(data)}) as rig,
        rig.watching(CAMERA) as watcher,
    ):
        watcher.wait_fresh(CAMERA, 0.0)
        pids = rig.pids(*PROCESSES)
        with rig.memory(*PROCESSES) as memory:
            began = time.monotonic()
            ballast = fill(data)
            wait_until(
                lambda: level(rig, "disk") == "bad",
                PATIENCE,
                "the system page to tell of the disk",
                interval=0.2,
            )
            noticed = since(began)
            last_for(FULL_SECONDS - since(began))
            ballast.unlink()
            back = time.monotonic()
            wait_until(lambda: saves(rig), PATIENCE, "a camera to be saved", interval=0.2)
            again = since(back)
            gap = longest_gap([frame.at for frame in watcher.seen(CAMERA)], began, time.monotonic())
            predictions = longest_gap(
                [told.at for told in watcher.messages("predictions", model="qr")],
                began,
                time.monotonic(),
            )
        ended = [name for name, pid in rig.pids(*PROCESSES).items() if pid != pids[name]]
        wrong = [
            *([f"the video stood still for {gap:.1f} s"] if gap > STALL_SECONDS else []),
            *(
                [f"predictions stood still for {predictions:.1f} s"]
                if predictions > STALL_SECONDS
                else []
            ),
            *([f"ended: {', '.join(ended)}"] if ended else []),
        ]
        table.add(
            Row(
                f"Disk of DATA_DIR full for {FULL_SECONDS:g} s (SQLite)",
                "Live view goes on; the system page says so",
                detect_s=noticed,
                recover_s=again,
                bound_detect_s=TOLD_SECONDS,
                bound_recover_s=RECOVER_SECONDS,
                memory_mib=memory.most,
                secrets=rig.secrets(),
                note=(
                    f"longest gap in the video {gap:.1f} s, in the predictions {predictions:.1f} s;"
                    " pages and changes work again once there is room"
                ),
                missed="; ".join(wrong),
            )
        )


def saves(rig: Rig) -> bool:
    """Whether a change can be saved."""
    try:
        rig.operator.change_camera(CAMERA, quality="81")
    except (AssertionError, requests.RequestException):
        return False
    return works(rig)


def test_kafkas_disk_is_full(tmp_path: Path, table: Table) -> None:
    """A broker ends when it cannot write. Nothing can be live without one, but all says so, and
    goes on when it is back.
    """
    with (
        small_disk(tmp_path / "rig" / "kafka", KAFKA_MIB) as disk,
        Rig(tmp_path / "rig") as rig,
        rig.watching(CAMERA) as watcher,
    ):
        watcher.wait_fresh(CAMERA, 0.0)
        pids = rig.pids(*PROCESSES)
        with rig.memory(*PROCESSES) as memory:
            began = time.monotonic()
            ballast = fill(disk)
            wait_until(lambda: not rig.kafka.running, PATIENCE, "Kafka to give up", interval=0.2)
            gone = since(began)
            gave_up = time.monotonic()
            noticed = since(gave_up, watcher.wait_kafka(False, began, PATIENCE).at)
            last_for(10)
            ballast.unlink()
            rig.kafka.start()
            back = time.monotonic()
            again = since(back, watcher.wait_fresh(CAMERA, back, PATIENCE).at)
        ended = [name for name, pid in rig.pids(*PROCESSES).items() if pid != pids[name]]
        table.add(
            Row(
                "Kafka's disk full",
                "The broker ends; a banner in 10 s; once it is back all resumes in 5 s",
                detect_s=max(0.0, noticed),
                recover_s=again,
                bound_detect_s=TOLD_SECONDS,
                bound_recover_s=RECOVER_SECONDS,
                memory_mib=memory.most,
                secrets=rig.secrets(),
                note=f"the broker gave up {gone:.1f} s after its disk was full",
                missed=f"ended: {', '.join(ended)}" if ended else "",
            )
        )
