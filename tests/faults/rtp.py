"""Spoiling what an RTSP camera sends over TCP: RTP packets between the answers (RFC 2326,
section 10.12).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

DOLLAR = 0x24
RTP_HEADER = 12
SPARED = 2  # the fragment's header: what is behind it is the picture


@dataclass(slots=True)
class Damage:
    """Which share of the video packets is damaged now."""

    share: float


class Corrupter:
    """Turns over some bytes in a share of the video packets; everything else, the RTSP answers
    too, passes as it is. One for each connection.
    """

    def __init__(self, damage: Damage, seed: int = 1) -> None:
        self.damage = damage
        self.random = random.Random(seed)
        self.buffer = bytearray()

    def __call__(self, data: bytes) -> bytes:
        self.buffer += data
        return b"".join(self._units())

    def _units(self) -> Iterator[bytes]:
        while (length := self._next()) and length <= len(self.buffer):
            unit = self.buffer[:length]
            del self.buffer[:length]
            if unit[0] == DOLLAR and unit[1] % 2 == 0 and self.random.random() < self.damage.share:
                self._spoil(unit)
            yield bytes(unit)

    def _next(self) -> int:
        """The length of what comes next, 0 when too little of it is here."""
        if not self.buffer:
            return 0
        if self.buffer[0] == DOLLAR:
            return 4 + int.from_bytes(self.buffer[2:4], "big") if len(self.buffer) >= 4 else 0
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return 0
        found = re.search(rb"\r\ncontent-length: *(\d+)", self.buffer[:end], re.IGNORECASE)
        return end + 4 + (int(found[1]) if found else 0)

    def _spoil(self, packet: bytearray) -> None:
        start = 4 + RTP_HEADER + SPARED
        for position in range(start, len(packet), 16):
            packet[position] ^= self.random.randrange(1, 256)
