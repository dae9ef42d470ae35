"""A wall of 36 demo cameras at 5 fps in a real Chromium, over plain HTTP/1.1, all on this machine:
does it keep up, and is its memory flat?

    python -m benchmarks.wall [--cameras 36] [--seconds 60]

The age of a picture is from the moment the frame left the camera to the moment it is painted, by
the page's own clock and by its own truth. Memory is the page's JavaScript heap after a garbage
collection, and what each kind of Chromium's processes occupies (a page that several share counts
once, in parts); ``--every`` shows it on the way, because a slope over ten minutes alone does not
tell a leak from a cache that fills.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import CDPSession, Page

from benchmarks.processes import (
    MIB,
    descendants,
    processor_seconds,
    proportional_bytes,
    quantile,
    quantiles,
    slope,
)
from tests.servers.browser import Complaints, chromium, log_in
from tests.servers.stack import Stack
from tests.servers.waiting import wait_until

GOAL_MS = 500
WARM_UP_SECONDS = 10.0
SAMPLE_SECONDS = 10.0
LINES = 20
PROCESSES = ("broker", "web", "capture", "infer")

# Takes the ages of the pictures painted since the last call, by camera.
AGES = """
() => {
  const taken = {};
  for (const { camera, age } of window.paints.splice(0)) (taken[camera] ??= []).push(age);
  return taken;
}
"""


@dataclass(slots=True)
class Seen:
    """What the browser showed and used."""

    ages: dict[str, list[float]] = field(default_factory=dict)
    heap: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)


def fill(stack: Stack, cameras: int, fps: int) -> None:
    """Demo cameras, each with a belt of its own."""
    operator = stack.operator()
    operator.change_camera("conveyor", fps=str(fps))
    for number in range(2, cameras + 1):
        operator.add_camera(
            f"belt-{number}", "demo", f"demo:conveyor?line={(number - 1) % LINES + 1}", fps=str(fps)
        )


def chromium_processes() -> list[int]:
    """Chromium's processes among our descendants."""
    return [
        pid
        for pid in descendants(os.getpid())
        if Path(f"/proc/{pid}/comm").read_text().startswith("chrom")
    ]


def kind(pid: int) -> str:
    """What a process of Chromium is for: ``renderer``, ``gpu-process``, ``utility``, ... or
    ``browser``.
    """
    words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").split()
    return next(
        (word.removeprefix("--type=") for word in words if word.startswith("--type=")), "browser"
    )


def occupied() -> dict[str, int]:
    """Bytes by kind of Chromium's processes."""
    by_kind: dict[str, int] = {}
    for pid in chromium_processes():
        by_kind[kind(pid)] = by_kind.get(kind(pid), 0) + proportional_bytes(pid)
    return by_kind


def heap(session: CDPSession) -> float:
    """The bytes that the page's JavaScript holds, after a garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {
        metric["name"]: metric["value"]
        for metric in session.send("Performance.getMetrics")["metrics"]
    }
    return float(metrics["JSHeapUsedSize"])


def watch(page: Page, session: CDPSession, seconds: float, every: float) -> Seen:
    """Look at the page for so long."""
    seen = Seen()
    started = shown = time.monotonic()
    until = started + seconds
    while (left := until - time.monotonic()) > 0:
        page.wait_for_timeout(min(left, SAMPLE_SECONDS) * 1000)
        for camera, ages in page.evaluate(AGES).items():
            seen.ages.setdefault(camera, []).extend(ages)
        seen.heap.append(heap(session))
        for name, size in occupied().items():
            seen.memory.setdefault(name, []).append(size)
        if every and time.monotonic() - shown >= every:
            shown = time.monotonic()
            parts = ", ".join(
                f"{name} {values[-1] / MIB:.1f}" for name, values in seen.memory.items()
            )
            print(
                f"{shown - started:6.0f} s  heap {seen.heap[-1] / MIB:.1f}, {parts} MiB", flush=True
            )
    return seen


def used(measured: Callable[[], Seen], pids: dict[str, list[int]]) -> tuple[Seen, dict[str, float]]:
    """What was seen, and the share of a core that each used meanwhile."""
    before = {name: sum(map(processor_seconds, group)) for name, group in pids.items()}
    started = time.monotonic()
    seen = measured()
    passed = time.monotonic() - started
    return seen, {
        name: (sum(map(processor_seconds, group)) - before[name]) / passed
        for name, group in pids.items()
    }


def report(
    seen: Seen, shares: dict[str, float], sockets: int, cameras: int, seconds: float
) -> None:
    """Print what was measured."""
    ages = [age for values in seen.ages.values() for age in values]
    slowest = min(len(values) for values in seen.ages.values()) / seconds
    verdict = "met" if quantile(ages, 95) <= GOAL_MS else "MISSED"
    print(
        f"\n{len(seen.ages)} of {cameras} tiles moved, the slowest at {slowest:.1f} pictures a"
        f" second; {sockets} WebSocket in all"
    )
    print(f"age when painted  {quantiles(ages)}  (goal: p95 {GOAL_MS} ms: {verdict})")
    chromiums = {
        f"Chromium {name}": values
        for name, values in seen.memory.items()
        if len(values) == len(seen.heap)
    }
    for name, values in ({"JavaScript heap": seen.heap} | chromiums).items():
        print(
            f"{name:<24} {values[-1] / MIB:7.1f} MiB  {slope(values, SAMPLE_SECONDS) / MIB:+7.1f}"
            " MiB/h"
        )
    for name, share in shares.items():
        print(f"{name:<24} {share * 100:6.1f} % of a core")


def measure(stack: Stack, cameras: int, seconds: float, every: float) -> None:
    """Open the wall, watch it, print."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        complaints = Complaints(page)
        log_in(page, stack)
        wait_until(
            lambda: (
                page.evaluate("new Set(window.paints.map((paint) => paint.camera)).size") >= cameras
            ),
            120,
            "all tiles to be painted",
        )
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        page.wait_for_timeout(WARM_UP_SECONDS * 1000)
        page.evaluate(AGES)
        pids = {name: [stack.pid(name)] for name in PROCESSES} | {"Chromium": chromium_processes()}
        seen, shares = used(lambda: watch(page, session, seconds, every), pids)
        report(seen, shares, len(sockets), cameras, seconds)
        for complaint in complaints.found:
            print(f"the browser complained: {complaint}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cameras", type=int, default=36)
    parser.add_argument("--fps", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--every", type=float, default=60, help="seconds between two lines on the way; 0: none"
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sightline-bench-") as folder,
        Stack(Path(folder)) as stack,
    ):
        fill(stack, options.cameras, options.fps)
        measure(stack, options.cameras, options.seconds, options.every)


if __name__ == "__main__":
    main()
