"""Ports of this machine."""

from __future__ import annotations

import random
import socket

# Below Linux's ephemeral range, so that no outgoing connection takes the port while the server that
# owns it is being restarted.
RANGE = range(20_000, 32_000)
TRIES = 200


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on; OSError if TRIES random ones are taken."""
    for port in random.sample(RANGE, TRIES):
        if not is_listening("127.0.0.1", port):
            return port
    raise OSError(f"no free port between {RANGE.start} and {RANGE.stop}")


def is_listening(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    address = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
