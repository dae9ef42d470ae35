"""Free ports on loopback."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

# Below Linux's ephemeral range: no outgoing connection takes the port while a server that owns it
# is being restarted.
_RANGE = range(20000, 32000)
_given: set[int] = set()


def free_port() -> int:
    """A TCP port that nobody listens on and that this process has not been given before."""
    for port in random.SystemRandom().sample(_RANGE, 200):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise OSError(f"no free port between {_RANGE.start} and {_RANGE.stop}")


def free_ports(count: int) -> int:
    """The first of so many such ports in a row."""
    for first in random.SystemRandom().sample(_RANGE, 200):
        row = range(first, first + count)
        if not _given.intersection(row) and all(map(_is_free, row)):
            _given.update(row)
            return first
    raise OSError(f"no {count} free ports in a row between {_RANGE.start} and {_RANGE.stop}")


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
