"""The demo camera: `demo:conveyor`, with `?line=2` and `?size=640x360`."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from cameras.sources.addresses import Address
from cameras.sources.base import DestinationCheck, Jpeg, LumaSample, SourceSettings
from cameras.sources.demo.scene import Conveyor
from cameras.sources.planes import sample_points
from sightline.base.frame_rate import Ticker


def conveyor_of(address: Address) -> Conveyor:
    """The scene that a demo address names."""
    width, height = (int(side) for side in address.options.get("size", "1280x720").split("x"))
    return Conveyor(width, height, int(address.options.get("line", "1")))


@dataclass(frozen=True, slots=True)
class DemoFrame:
    conveyor: Conveyor
    seq: int
    captured_at: int

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        return self.conveyor.jpeg(self.seq, self.captured_at, quality, max_width)

    def luma_sample(self) -> LumaSample:
        return LumaSample(
            sample_points(self.conveyor.render(self.seq, self.captured_at).y), self.captured_at
        )


class DemoSource:
    """Yields the scene's frames, numbered from `first_seq` as the capture reader numbers them."""

    codec = "demo"
    paced = True

    def __init__(
        self,
        settings: SourceSettings,
        address: Address,
        stop: threading.Event,
        check: DestinationCheck,
    ) -> None:
        self._settings = settings
        self._stop = stop
        self._conveyor = conveyor_of(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[DemoFrame]:
        ticker = Ticker(self._settings.fps, self._stop)
        seq = self._settings.first_seq
        while ticker.wait():
            yield DemoFrame(self._conveyor, seq, time.time_ns())
            seq += 1
