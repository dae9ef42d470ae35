"""TCP connections to addresses that were checked: nothing is resolved here."""

from __future__ import annotations

import socket
import time

from cameras.sources.base import Addresses

MIN_WAIT = 0.01


def connected(addresses: Addresses, port: int, seconds: float) -> socket.socket:
    """A connection to the first of the addresses that accepts within `seconds` for all of them.
    OSError if none does.
    """
    deadline = time.monotonic() + seconds
    failure: OSError = TimeoutError()
    for tries_left, ip in zip(range(len(addresses), 0, -1), addresses, strict=True):
        wait = max(MIN_WAIT, (deadline - time.monotonic()) / tries_left)
        try:
            connection = socket.create_connection((str(ip), port), wait)
        except OSError as err:
            failure = err
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise failure
