"""What does a delivered frame cost the web process, next to a bare Daphne application that sends
the same bytes?

    python -m benchmarks.viewers [--viewers 1 50 200] [--seconds 8] [--rounds 3] [--fps 10]
                                 [--size 50000]

One camera's frames go through an embedded Kafka to both servers at once. Viewers, in a process
of their own, watch one server and then the other, several times, so that what else the machine
does meets both. The cost is all the processor time of the server's process divided by the frames
that viewers have in hand. The goal is 1.5 times the bare application's.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clients import Clients, Wanted
from benchmarks.processes import processor_seconds
from benchmarks.rig import CAMERA, PREFIX, credentials, web
from tests.servers.ports import free_port, is_listening
from tests.servers.process import Child

GOAL = 1.5
WARM_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """A server to be measured, and what its viewers must say to be let in."""

    port: int
    pid: int
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor microseconds a delivered frame, and the frames a second of one viewer."""

    microseconds: float
    rate: float


@contextlib.contextmanager
def rivals(folder: Path, fps: float, size: int) -> Iterator[tuple[MeasuredServer, MeasuredServer]]:
    """Sightline's web process and the bare one, on the same broker and camera."""
    with web(folder, fps, size) as site:
        port = free_port()
        topic = f"{PREFIX}.cameras.{CAMERA}.frames"
        command = [
            sys.executable,
            "-m",
            "benchmarks.bare",
            str(port),
            site.environment["KAFKA_BOOTSTRAP_SERVERS"],
            topic,
        ]
        with Child(command, folder / "bare.log") as bare:
            bare.wait_until(lambda: is_listening(port), what="the bare server to listen")
            yield (
                MeasuredServer(site.port, site.child.pid, credentials(site)),
                MeasuredServer(port, bare.pid),
            )


def cost(server: MeasuredServer, viewers: int, socket: bool, seconds: float) -> Cost:
    """Measure one server."""
    with Clients(Wanted(server.port, CAMERA, socket, server.headers), viewers) as clients:
        while clients.take().frames < 2 * viewers:
            time.sleep(0.2)
        time.sleep(WARM_UP_SECONDS)
        clients.take()
        before, started = processor_seconds(server.pid), time.monotonic()
        time.sleep(seconds)
        frames, used = clients.take().frames, processor_seconds(server.pid) - before
        return Cost(used / frames * 1e6, frames / (time.monotonic() - started) / viewers)


def compare(
    ours: MeasuredServer,
    bare: MeasuredServer,
    viewers: int,
    socket: bool,
    seconds: float,
    rounds: int,
) -> None:
    """Measure both in turn and print the ratio."""
    pairs = [
        (cost(ours, viewers, socket, seconds), cost(bare, viewers, socket, seconds))
        for _ in range(rounds)
    ]
    mine, rival = (statistics.median(pair[side].microseconds for pair in pairs) for side in (0, 1))
    rates = " / ".join(
        f"{statistics.median(pair[side].rate for pair in pairs):.1f}" for side in (0, 1)
    )
    verdict = "met" if mine <= GOAL * rival else "MISSED"
    print(
        f"{'wall socket' if socket else 'MJPEG stream':<12} {viewers:4d} viewers  {mine:6.0f} us a"
        f" frame, bare Daphne {rival:6.0f} us: {mine / rival:.2f} times (goal {GOAL}: {verdict});"
        f" {rates} frames a second a viewer",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", type=int, nargs="+", default=[1, 50, 200])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fps", type=float, default=10)
    parser.add_argument("--size", type=int, default=50_000)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="sightline-bench-") as name,
        rivals(Path(name), options.fps, options.size) as (ours, bare),
    ):
        for socket in (False, True):
            for viewers in options.viewers:
                compare(ours, bare, viewers, socket, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
