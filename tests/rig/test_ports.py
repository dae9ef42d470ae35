from __future__ import annotations

import subprocess
import sys

from tests.conftest import HOME
from tests.servers.ports import free_port, free_ports

# A process keeps its ports until its input ends; after it they are free for others.
PORTS = """
import sys
from tests.servers.ports import free_port
print(*(free_port() for _ in range(150)), flush=True)
sys.stdin.read()
"""


def test_no_two_processes_are_given_the_same_port() -> None:
    command = [sys.executable, "-c", PORTS]
    pipe = subprocess.PIPE
    others = [
        subprocess.Popen(command, cwd=HOME, stdin=pipe, stdout=pipe, text=True) for _ in range(3)
    ]
    given = [port for other in others for port in other.stdout.readline().split()]  # type: ignore[union-attr]
    own = [str(free_port()) for _ in range(150)]
    for other in others:
        other.communicate(timeout=30)

    assert len(given) == 3 * 150
    assert len({*given, *own}) == 4 * 150


def test_ports_in_a_row_are_given_once() -> None:
    first, second = free_ports(3), free_ports(3)

    assert not {*range(first, first + 3)} & {*range(second, second + 3)}
