"""The demo scene: parcels with QR labels on a belt, whose right answers are known for every frame.

All positions follow from the frame's sequence number alone, so a test can compare predictions
with `Conveyor.expected`. Frames are drawn straight into the planes that the JPEG encoder takes
(full-range YCbCr 4:2:0).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

import simplejpeg

from cameras.sources.base import Jpeg
from cameras.sources.demo.background import background, belt
from cameras.sources.demo.captions import Captions
from cameras.sources.demo.compose import blit, blit_belt, cast_shadow
from cameras.sources.demo.layout import SceneLayout
from cameras.sources.demo.parcel import parcel, shadow_of_parcel
from cameras.sources.planes import Planes, scaled_size

PARCELS_KEPT = 8
FIRST_NUMBER = 38
NUMBERS_PER_LINE = 500


@dataclass(frozen=True, slots=True)
class ExpectedCode:
    """A code in the frame: its text, and the bounds (x0, y0, x1, y1 in 0..1) of the symbol without
    its quiet zone.
    """

    text: str
    box: tuple[float, float, float, float]


class Conveyor:
    """One belt. `line` sets the parcels' numbers and start positions, so that demo cameras
    differ.
    """

    def __init__(self, width: int = 1280, height: int = 720, line: int = 1) -> None:
        self.layout = SceneLayout.fit(width, height)
        self.line = line
        self._parcels: OrderedDict[int, Planes] = OrderedDict()
        self._planes: Planes | None = None

    def expected(self, seq: int) -> list[ExpectedCode]:
        """Every code that is fully visible in frame `seq`, from left to right."""
        layout = self.layout
        codes = []
        for index in self._in_frame(seq):
            x0 = self._symbol_x(index, seq)
            x1 = x0 + layout.symbol
            if x0 < layout.margin or x1 > layout.width - layout.margin:
                continue
            y0, y1 = layout.symbol_y, layout.symbol_y + layout.symbol
            box = (x0 / layout.width, y0 / layout.height, x1 / layout.width, y1 / layout.height)
            codes.append(ExpectedCode(self.text(index), box))
        return codes

    def text(self, index: int) -> str:
        """The label of the parcel `index`; parcel 0 is the leftmost when the belt starts."""
        number = FIRST_NUMBER + NUMBERS_PER_LINE * (self.line - 1) + index
        return f"PARCEL-{number % 10000:04d}"

    def render(self, seq: int, captured_at: int) -> Planes:
        """Frame `seq`, with the clock showing `captured_at` (ns since the epoch). Valid until
        the next call.
        """
        layout = self.layout
        if self._planes is None:
            self._open()
        planes = self._planes
        assert planes is not None
        blit_belt(planes, self._belt, layout, seq * layout.step % layout.cleat)
        for index in self._in_frame(seq):
            x = self._symbol_x(index, seq) - layout.symbol_inset
            cast_shadow(planes, layout, self._shadow, x)
            blit(planes, self._parcel(index), x, layout.parcel_y)
        self._captions.draw(planes.y, _clock(captured_at), seq)
        return planes

    def jpeg(self, seq: int, captured_at: int, quality: int, max_width: int | None) -> Jpeg:
        """Frame `seq` encoded, scaled down to `max_width` with the aspect kept."""
        planes = self.render(seq, captured_at)
        width, height = scaled_size(self.layout.width, self.layout.height, max_width)
        if width != self.layout.width:
            planes = planes.resize(width, height)
        return Jpeg(
            simplejpeg.encode_jpeg_yuv_planes(planes.y, planes.u, planes.v, quality), width, height
        )

    def _open(self) -> None:
        self._planes = background(self.layout, self.line)
        self._belt = belt(self.layout)
        self._shadow = shadow_of_parcel(self.layout)
        self._captions = Captions(self.layout, self.line)

    def _symbol_x(self, index: int, seq: int) -> int:
        layout = self.layout
        start = (self.line * 7 % layout.steps_per_parcel) * layout.step + layout.rest
        return index * layout.pitch + start - seq * layout.step

    def _in_frame(self, seq: int) -> range:
        layout = self.layout
        zero = self._symbol_x(0, seq) - layout.symbol_inset
        first = -(zero + layout.parcel_width) // layout.pitch + 1
        last = (layout.width - 1 - zero) // layout.pitch
        return range(first, last + 1)

    def _parcel(self, index: int) -> Planes:
        sprite = self._parcels.get(index)
        if sprite is None:
            sprite = self._parcels[index] = parcel(self.layout, self.text(index), index)
            while len(self._parcels) > PARCELS_KEPT:
                self._parcels.popitem(last=False)
        return sprite


def _clock(captured_at: int) -> str:
    seconds, rest = divmod(captured_at, 1_000_000_000)
    return time.strftime("%H:%M:%S", time.localtime(seconds)) + f".{rest // 1_000_000:03d}"
