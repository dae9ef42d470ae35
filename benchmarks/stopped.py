"""Twenty viewers, one of whom stops reading: what does it cost the web process, and what the
others? Then viewers come and go a thousand times.

    python -m benchmarks.stopped [--seconds 300] [--visits 1000] [--kind socket]

Both for MJPEG streams and for the wall's socket. The camera sends 20 pictures of 80 kB a second,
so that a viewer who stops would soon fill the memory of a server that queues. The goals: 8 MiB
more, and ages (p95) of the others that grow by 10 % at most.
"""

from __future__ import annotations

import argparse
import socket
import struct
import tempfile
import time
from pathlib import Path

from benchmarks.clients import HANDSHAKE, Clients, Wanted, watching
from benchmarks.processes import MIB, quantile
from benchmarks.rig import CAMERA, credentials, web
from tests.servers.waiting import wait_until
from tests.streaming.site import Site
from tests.streaming.viewers import lazy_request

OTHERS = 19
REFERENCE_SECONDS = 30.0
BATCH = 50
RESET = struct.pack("ii", 1, 0)  # close() sends a reset, no farewell


def idle(site: Site, by_socket: bool) -> socket.socket:
    """A viewer who has asked for the pictures and reads none."""
    if not by_socket:
        return lazy_request(site, f"/cameras/{CAMERA}/stream.mjpg")
    connection = lazy_request(site, "/ws/wall/", *HANDSHAKE)
    while b"\r\n\r\n" not in connection.recv(64 * 1024, socket.MSG_PEEK):
        time.sleep(0.01)
    connection.sendall(watching(CAMERA))
    return connection


def stop_one(site: Site, by_socket: bool, seconds: float) -> None:
    """Measure the others before, while and after one viewer does not read."""
    with Clients(Wanted(site.port, CAMERA, by_socket, credentials(site)), OTHERS) as clients:
        time.sleep(REFERENCE_SECONDS / 3)
        clients.take()
        time.sleep(REFERENCE_SECONDS)
        reference = clients.take().ages
        before = site.memory
        stopped = idle(site, by_socket)
        most, ages = before, []
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 5.0))
            most = max(most, site.memory)
            ages += clients.take().ages
        stopped.close()
        time.sleep(REFERENCE_SECONDS)
        reference += clients.take().ages
    alone, together = quantile(reference, 95), quantile(ages, 95)
    print(
        f"{_kind(by_socket)}: one of {OTHERS + 1} stopped for {seconds:g} s: memory"
        f" {(most - before) / MIB:+.1f} MiB at most (goal 8), p95 age of the others {together:.1f}"
        f" ms, without it {alone:.1f} ms: {(together / alone - 1) * 100:+.0f} % (goal +10)",
        flush=True,
    )


def come_and_go(site: Site, by_socket: bool, visits: int) -> None:
    """Connect and drop, half of them without a farewell."""
    for _ in range(
        2
    ):  # the first make what is kept: threads of the pools, connections to the database
        _batch(site, by_socket, BATCH)
    sockets, threads, memory = site.sockets, site.threads, site.memory
    started = time.monotonic()
    for _ in range(visits // BATCH):
        _batch(site, by_socket, BATCH)
    passed = time.monotonic() - started
    wait_until(lambda: site.sockets <= sockets, 30, "the sockets to be closed")
    print(
        f"{_kind(by_socket)}: {visits} came and went in {passed:.0f} s: {site.sockets - sockets:+d}"
        f" sockets, {site.threads - threads:+d} threads, {(site.memory - memory) / MIB:+.1f} MiB",
        flush=True,
    )


def _batch(site: Site, by_socket: bool, count: int) -> None:
    present = site.sockets
    connections = [idle(site, by_socket) for _ in range(count)]
    for number, connection in enumerate(connections):
        connection.recv(1024)
        if number % 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()
    wait_until(lambda: site.sockets <= present + 3, 30, "the sockets to be closed")


def _kind(by_socket: bool) -> str:
    return "wall socket " if by_socket else "MJPEG stream"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--visits", type=int, default=1000)
    parser.add_argument(
        "--kind", choices=("mjpeg", "socket"), help="only this kind of viewer (default: both)"
    )
    options = parser.parse_args()
    kinds = [options.kind == "socket"] if options.kind else [False, True]
    with (
        tempfile.TemporaryDirectory(prefix="sightline-bench-") as name,
        web(Path(name), 20, 80_000) as site,
    ):
        for by_socket in kinds:
            come_and_go(site, by_socket, options.visits)
        for by_socket in kinds:
            stop_one(site, by_socket, options.seconds)


if __name__ == "__main__":
    main()
