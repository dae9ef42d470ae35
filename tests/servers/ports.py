"""Free ports on loopback, which no other test process is given."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

# Below Linux's ephemeral range: no outgoing connection takes a port while its server restarts.
_BLOCKS = range(20_000, 32_000, 100)
_claims: list[socket.socket] = []
_left = range(0)


def free_port() -> int:
    """A TCP port that nobody listens on and that no test process has been given before."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of ``count`` such ports in a row; OSError when there are no more."""
    global _left
    while True:
        if len(_left) < count:
            _left = _claimed_block()
        ports, _left = _left[:count], _left[count:]
        if all(map(_is_free, ports)):
            return ports[0]


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _claimed_block() -> range:
    """A block of ports for this process alone, until it ends.

    The process that holds a block's first port owns the block. A port that was only found to be
    free could be given to two processes, or be taken while the server that owns it restarts.
    """
    for first in random.SystemRandom().sample(_BLOCKS, len(_BLOCKS)):
        claim = socket.socket()
        try:
            claim.bind((LOOPBACK, first))
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            return range(first + 1, first + _BLOCKS.step)
    raise OSError(f"all ports from {_BLOCKS.start} to {_BLOCKS.stop} are claimed")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
