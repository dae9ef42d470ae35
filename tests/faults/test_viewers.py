"""Viewers who are slow, stop, or go without a word: it costs the server little and the others
nothing.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.clients import HANDSHAKE, Clients, Wanted, watching
from benchmarks.processes import quantile
from tests.faults.rig import Rig, last_for, since
from tests.faults.table import Row, Table
from tests.faults.watcher import Watcher
from tests.servers.proxy import FaultProxy
from tests.servers.waiting import wait_until

CAMERA = "conveyor"
OTHERS = 19
REFERENCE_SECONDS = 20.0
FAULT_SECONDS = 60.0
MIB = 2**20
LINES = b"\n" * MIB
MEMORY = 8.0
SLOWER = 10.0
KBIT64 = 8000.0
CLOSES = 200
RESUME = 5.0
GONE = 2.0
RESET = struct.pack("ii", 1, 0)  # close() sends a reset, no farewell


@pytest.fixture(scope="module")
def others(rig: Rig) -> Iterator[Clients]:
    """Nineteen viewers of one camera who read as fast as they can."""
    with Clients(Wanted(rig.stack.port, CAMERA, True, headers(rig)), OTHERS) as clients:
        last_for(5)
        yield clients


def headers(rig: Rig) -> tuple[str, ...]:
    return (
        f"Cookie: sessionid={rig.operator.session.cookies['sessionid']}",
        f"Origin: http://127.0.0.1:{rig.stack.port}",
    )


def among_others(rig: Rig, others: Clients, fault: str, expected: str, rate: float) -> Row:
    """One more viewer, through a proxy that gives it `rate` bytes a second, 0 for none, while
    the others are measured.
    """
    with (
        FaultProxy(rig.stack.port) as link,
        Watcher(rig.operator, CAMERA, port=link.port) as viewer,
    ):
        viewer.wait_fresh(CAMERA, time.monotonic())
        others.take()
        last_for(REFERENCE_SECONDS)
        usual = quantile(others.take().ages, 95)
        with rig.memory("web") as memory:
            broken = time.monotonic()
            if rate:
                link.throttle(rate)
            else:
                link.black_hole()
            last_for(FAULT_SECONDS)
            meanwhile = quantile(others.take().ages, 95)
        ages = [frame.age for frame in viewer.seen(CAMERA, broken + 10)]
        link.forward()
        healed = time.monotonic()
        seen = viewer.wait_fresh(CAMERA, healed)
    change = (meanwhile / usual - 1) * 100
    got = (
        f"It got {len(ages)} pictures in {FAULT_SECONDS - 10:g} s, {max(ages):.1f} s old at most. "
        if ages
        else ""
    )
    return Row(
        fault,
        expected,
        recover_s=since(healed, seen.at),
        bound_recover_s=RESUME,
        memory_mib=memory.most,
        bound_memory_mib=MEMORY,
        secrets=rig.secrets(),
        missed=f"the others' frame age (p95) grew by {change:.0f} %" if change > SLOWER else "",
        note=(
            f"{got}The others' frame age (p95): {usual:.0f} ms without it, {meanwhile:.0f} ms"
            " with it."
        ),
    )


def test_a_viewer_who_stops_reading(rig: Rig, others: Clients, table: Table) -> None:
    expected = "8 MiB at most, the others' pictures no later (+10 %)"
    table.add(
        among_others(
            rig, others, f"One of 20 viewers stops reading for {FAULT_SECONDS:g} s", expected, 0
        )
    )


def test_a_viewer_with_64_kbit_a_second(rig: Rig, others: Clients, table: Table) -> None:
    expected = "it gets fewer pictures, told by their age; the others as above"
    table.add(among_others(rig, others, "One of 20 viewers has 64 kbit/s", expected, KBIT64))


def posted(port: int, path: str, kind: str, mebibytes: int) -> str:
    """What an anonymous client is told that sends so many MiB of line breaks."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {mebibytes * MIB}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(head.encode())
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"--b\r\nContent-Disposition: form-data; name=f\r\n\r\n")
            for _ in range(mebibytes):
                connection.sendall(LINES)
        with contextlib.suppress(ConnectionError):
            return connection.recv(4096).decode().partition("\r\n")[0]
    return "the connection was reset"


@pytest.mark.parametrize(
    ("path", "kind", "mebibytes"),
    [
        ("/nothing-here", "application/octet-stream", 600),
        ("/accounts/login/", "multipart/form-data; boundary=b", 16),
    ],
)
def test_bodies_that_nobody_asked_for(
    rig: Rig, others: Clients, table: Table, path: str, kind: str, mebibytes: int
) -> None:
    others.take()
    last_for(REFERENCE_SECONDS)
    usual = quantile(others.take().ages, 95)
    told = set()
    with rig.memory("web") as memory:
        until = time.monotonic() + REFERENCE_SECONDS
        while time.monotonic() < until:
            told.add(posted(rig.stack.port, path, kind, mebibytes))
            last_for(1)
        meanwhile = quantile(others.take().ages, 95)
    wrong = told - {"HTTP/1.1 413 Content Too Large", "the connection was reset"}
    if meanwhile > max(1.1 * usual, usual + 10):
        wrong.add(f"the viewers' frame age (p95) grew from {usual:.0f} to {meanwhile:.0f} ms")
    table.add(
        Row(
            f"Somebody anonymous posts {mebibytes} MiB ({kind.partition(';')[0]}) again and again",
            "refused before it is read; nobody notices (p95 of the age +10 %, or 10 ms)",
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            secrets=rig.secrets(),
            missed="; ".join(sorted(wrong)),
            note=f"p95 of 19 viewers: {usual:.0f} ms without it, {meanwhile:.0f} ms with it.",
        )
    )


def open_sockets(pid: int) -> int:
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += str(link.readlink()).startswith("socket:")
        except OSError:
            continue
    return found


def visit(rig: Rig, number: int) -> socket.socket:
    """A viewer who has got something: every other one of the wall's socket, the rest of the
    stream.
    """
    connection = socket.create_connection(("127.0.0.1", rig.stack.port), 10)
    by_socket = number % 2 == 0
    path = "/ws/wall/" if by_socket else f"/cameras/{CAMERA}/stream.mjpg"
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{rig.stack.port}",
        *headers(rig),
        *(HANDSHAKE if by_socket else ()),
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = connection.recv(4096)
    assert answer.split(b" ")[1] in (b"101", b"200"), answer
    if by_socket:
        connection.sendall(watching(CAMERA))
    assert connection.recv(4096)
    return connection


def test_viewers_who_go_without_a_word(rig: Rig, table: Table) -> None:
    pid = rig.stack.pid("web")
    for number in range(
        20
    ):  # the first make what is kept: threads of the pools, connections to the database
        visit(rig, number).close()
    last_for(5)
    sockets = open_sockets(pid)
    with rig.memory("web") as memory:
        slowest = 0.0
        for _ in range(CLOSES // 50):
            visitors = [visit(rig, number) for number in range(50)]
            for visitor in visitors:
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                visitor.close()
            closed = time.monotonic()
            wait_until(lambda: open_sockets(pid) <= sockets, 30, "the sockets to be closed")
            slowest = max(slowest, since(closed))
    state = json.loads(rig.operator.get("/readyz").text)
    table.add(
        Row(
            f"{CLOSES} viewers go without a word (TCP reset)",
            "their resources are gone in 2 s",
            recover_s=slowest,
            bound_recover_s=GONE,
            memory_mib=memory.most,
            bound_memory_mib=MEMORY,
            secrets=rig.secrets(),
            missed="" if state["kafka"]["ok"] else "the web is not ready",
            note=f"{open_sockets(pid) - sockets:+d} sockets.",
        )
    )
