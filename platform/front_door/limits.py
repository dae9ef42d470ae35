"""What one client may send, and how long it may take."""

from __future__ import annotations

from collections import Counter

from django.conf import settings

MIB = 1024 * 1024
BODY_BYTES = 2 * MIB
# A body's bytes that wait for the application; more stay in the client's own buffers.
WAITING_BYTES = 256 * 1024
# An upload is read so much at a time, with a pause after it: 25 MiB/s, so that viewers come first.
PACE_BYTES = 256 * 1024
PACE_SECONDS = 0.01
HEADER_SECONDS = 10.0
IDLE_SECONDS = 60.0
BODY_SECONDS = 60.0
LINGER_SECONDS = 2.0

TOO_LARGE = f"What was sent is larger than {BODY_BYTES // MIB} MiB, which is the limit here."
TOO_MANY = "Too many connections from this address are open. Close some, or wait a minute."
UPLOADING = "Another file is being uploaded. Send this one when that is done."


class Addresses:
    """How many connections each address has open. Behind proxies nothing is counted: all
    connections are the proxies' own.
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """Count one more; False when the address has as many as it may."""
        most = settings.CONNECTIONS_PER_ADDRESS
        if most and not settings.PROXIES and self._open[address] >= most:
            return False
        self._open[address] += 1
        return True

    def release(self, address: str) -> None:
        """One is closed."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]
