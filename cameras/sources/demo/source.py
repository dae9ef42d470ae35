"""The demo camera: `demo:conveyor`, with `?line=2` and `?size=640x360`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cameras.sources.addresses import Address
from cameras.sources.base import Jpeg, Look, SourceSettings
from cameras.sources.demo.scene import Conveyor, Expected
from cameras.sources.planes import points
from sightline.base.frame_rate import Ticker

if TYPE_CHECKING:
    from cameras.sources import Check

__all__ = ["Conveyor", "DemoGrab", "DemoSource", "Expected", "conveyor_of"]


def conveyor_of(address: Address) -> Conveyor:
    """The scene that a demo address names."""
    width, height = (int(side) for side in address.options.get("size", "1280x720").split("x"))
    return Conveyor(width, height, int(address.options.get("line", "1")))


@dataclass(frozen=True, slots=True)
class DemoGrab:
    conveyor: Conveyor
    seq: int
    captured_at: int

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        return self.conveyor.jpeg(self.seq, self.captured_at, quality, max_width)

    def look(self) -> Look:
        return Look(points(self.conveyor.render(self.seq, self.captured_at).y), self.captured_at)


class DemoSource:
    """The nth grab shows frame `first_seq + n`: the sequence number that the capture loop gives
    it.
    """

    codec = "demo"
    paced = True

    def __init__(
        self, settings: SourceSettings, address: Address, stop: threading.Event, check: Check
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._conveyor = conveyor_of(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[DemoGrab]:
        pacer = Ticker(self._settings.fps, self._stop)
        seq = self._settings.first_seq
        while pacer.wait():
            yield DemoGrab(self._conveyor, seq, time.time_ns())
            seq += 1
