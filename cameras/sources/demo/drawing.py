"""How the demo scene looks: its measures, what is drawn once, and how the pieces are put together
for each frame.

Sizes follow from one unit, the side of a QR module in pixels: 8 in a 1280 x 720 picture. That
keeps the codes readable after scaling to half. What moves is blitted at even columns, so that
colour planes of half the size stay aligned.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cameras.sources.planes import Plane, Planes, as_plane

Colour = tuple[int, int, int]

SYMBOL_MODULES = 21  # QR version 1
SUPERSAMPLE = 2
PILL: Colour = (24, 18, 14)
CARDBOARD: tuple[Colour, ...] = (
    (104, 150, 192),
    (92, 138, 180),
    (116, 160, 200),
    (98, 142, 178),
    (108, 156, 202),
)
STOCK: tuple[Colour, ...] = (
    (88, 118, 150),
    (70, 96, 128),
    (120, 112, 92),
    (96, 88, 64),
    (60, 84, 112),
    (128, 124, 118),
)


@dataclass(frozen=True, slots=True)
class SceneLayout:
    """All measures in pixels. `step` is the way a parcel goes from one frame to the next, to the
    left.
    """

    width: int
    height: int
    unit: int
    step: int
    steps_per_parcel: int
    rest: int
    margin: int
    symbol: int
    symbol_inset: int
    symbol_y: int
    parcel_width: int
    parcel_height: int
    parcel_y: int
    belt_y: int
    belt_height: int
    cleat: int

    @property
    def pitch(self) -> int:
        """From one parcel to the next."""
        return self.step * self.steps_per_parcel

    @classmethod
    def fit(cls, width: int, height: int) -> SceneLayout:
        """The scene in a picture of this size."""
        unit = min(width // 160, height // 90)
        step = 3 * unit // 4 * 2
        belt_y = height * 23 // 90 // 2 * 2
        parcel_y = belt_y + _even(2.5 * unit)
        return cls(
            width=width,
            height=height,
            unit=unit,
            step=step,
            steps_per_parcel=-(-44 * unit // step),
            # A code leaves the picture between two frames: it is never so near the edge that
            # readers disagree.
            rest=step - 2,
            margin=max(3, 3 * unit // 4),
            symbol=SYMBOL_MODULES * unit,
            symbol_inset=_even(7 * unit),
            symbol_y=parcel_y + _even(7 * unit),
            parcel_width=_even(SYMBOL_MODULES * unit + 14 * unit),
            parcel_height=_even(37 * unit),
            parcel_y=parcel_y,
            belt_y=belt_y,
            belt_height=_even(42 * unit),
            cleat=8 * step,
        )


class Captions:
    """The line at the top left: which belt, the clock and the number of the frame, in figures of
    one width.
    """

    def __init__(self, layout: SceneLayout, line: int) -> None:
        self._glyphs = glyphs("0123456789:.#", layout.unit)
        self._cell = self._glyphs["0"].shape[1]
        self._x, self._y = _caption_at(layout)
        self._x += self._cell * (len(title(line)) + 2)

    def draw(self, y_plane: Plane, clock: str, seq: int) -> None:
        """Write over the pill that the background holds; it has no colour, so only the Y plane
        changes.
        """
        self._write(y_plane, clock, self._x)
        self._write(y_plane, f"#{seq % 1_000_000:06d}", self._x + self._cell * (len(clock) + 2))

    def _write(self, y_plane: Plane, text: str, x: int) -> None:
        for number, char in enumerate(text):
            glyph = self._glyphs[char]
            height, width = glyph.shape
            left = x + number * self._cell
            y_plane[self._y : self._y + height, left : left + width] = glyph


def title(line: int) -> str:
    return f"CONVEYOR {line}"


def glyphs(chars: str, unit: int) -> dict[str, Plane]:
    """Each character in a cell of the same size, white on the pill's grey."""
    width, height, zoom = 2 * unit, _even(3.6 * unit), 4
    ground = _luma(PILL)
    cells = {}
    for char in chars:
        cell = np.full((height * zoom, width * zoom), ground, np.uint8)
        scale = unit * zoom / 13.0
        (text_width, text_height), _ = cv2.getTextSize(
            char, cv2.FONT_HERSHEY_DUPLEX, scale, unit * zoom // 5
        )
        at = ((width * zoom - text_width) // 2, (height * zoom + text_height) // 2)
        cv2.putText(
            cell,
            char,
            at,
            cv2.FONT_HERSHEY_DUPLEX,
            scale,
            236,
            max(1, unit * zoom // 5),
            cv2.LINE_AA,
        )
        cells[char] = as_plane(cv2.resize(cell, (width, height), interpolation=cv2.INTER_AREA))
    return cells


def blit(planes: Planes, sprite: Planes, x: int, y: int) -> None:
    """Put a sprite at an even place; what lies outside the picture is cut off."""
    height, width = sprite.y.shape
    left, right = max(0, x), min(planes.y.shape[1], x + width)
    if left >= right:
        return
    planes.y[y : y + height, left:right] = sprite.y[:, left - x : right - x]
    rows, columns = slice(y // 2, (y + height) // 2), slice(left // 2, right // 2)
    cut = slice((left - x) // 2, (right - x) // 2)
    planes.u[rows, columns] = sprite.u[:, cut]
    planes.v[rows, columns] = sprite.v[:, cut]


def blit_belt(planes: Planes, belt: Planes, layout: SceneLayout, offset: int) -> None:
    """Lay the belt, moved by `offset` pixels to the left."""
    top, bottom, width = layout.belt_y, layout.belt_y + layout.belt_height, layout.width
    planes.y[top:bottom] = belt.y[:, offset : offset + width]
    half = offset // 2
    planes.u[top // 2 : bottom // 2] = belt.u[:, half : half + width // 2]
    planes.v[top // 2 : bottom // 2] = belt.v[:, half : half + width // 2]


def cast_shadow(planes: Planes, layout: SceneLayout, shadow: Plane, x: int) -> None:
    """Darken the belt around a parcel at `x`."""
    height, width = shadow.shape
    x -= layout.unit
    left, right = max(0, x), min(layout.width, x + width)
    if left >= right:
        return
    ground = planes.y[layout.belt_y : layout.belt_y + height, left:right]
    ground[:] = cv2.multiply(ground, shadow[:, left - x : right - x], scale=1 / 255)


def shadow_of_parcel(layout: SceneLayout) -> Plane:
    """A soft shadow as high as the belt: 255 where the light stays."""
    unit = layout.unit
    shadow = np.full((layout.belt_height, layout.parcel_width + 4 * unit), 255, np.uint8)
    top = layout.parcel_y - layout.belt_y + unit
    cv2.rectangle(
        shadow, (2 * unit, top), (layout.parcel_width + unit, top + layout.parcel_height), 70, -1
    )
    return as_plane(cv2.GaussianBlur(shadow, (0, 0), 0.7 * unit))


def qr_modules(text: str) -> Plane:
    """The symbol for `text`, one pixel a module, without its quiet zone."""
    params = cv2.QRCodeEncoder.Params()
    params.version = 1
    params.correction_level = cv2.QRCODE_ENCODER_CORRECT_LEVEL_Q
    params.mode = cv2.QRCODE_ENCODER_MODE_ALPHANUMERIC
    picture = as_plane(cv2.QRCodeEncoder.create(params).encode(text))
    rows, columns = np.nonzero(picture == 0)
    return picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def parcel(layout: SceneLayout, text: str, shade: int) -> Planes:
    """A cardboard box from above with its label."""
    canvas = _Canvas(layout.parcel_width, layout.parcel_height, layout.unit)
    _draw_box(canvas, CARDBOARD[shade % len(CARDBOARD)])
    _draw_label(canvas, layout, text)
    picture = canvas.finish()
    side = layout.symbol
    symbol = cv2.resize(qr_modules(text), (side, side), interpolation=cv2.INTER_NEAREST)
    top, left = layout.symbol_y - layout.parcel_y, layout.symbol_inset
    picture[top : top + side, left : left + side] = np.where(symbol > 0, 250, 14).astype(np.uint8)[
        :, :, None
    ]
    return Planes.from_bgr(picture)


def belt(layout: SceneLayout) -> Planes:
    """The belt, one period of its pattern wider than the picture."""
    unit, height = layout.unit, layout.belt_height / layout.unit
    width = layout.width + layout.cleat
    canvas = _Canvas(width, layout.belt_height, unit)
    canvas.shade((66, 62, 58), (52, 48, 45))
    for x in range(-2 * layout.cleat, width + layout.cleat, layout.cleat):
        at = x / unit
        canvas.line((at, 0), (at + 3, height / 2), (74, 70, 66), 0.35)
        canvas.line((at + 3, height / 2), (at, height), (70, 66, 62), 0.35)
        canvas.line((at + 0.4, 0), (at + 3.4, height / 2), (44, 41, 38), 0.2)
        canvas.line((at + 3.4, height / 2), (at + 0.4, height), (42, 39, 36), 0.2)
    canvas.box(0, 0, width / unit, 1.0, (38, 35, 33))
    canvas.box(0, height - 0.8, width / unit, height, (40, 37, 35))
    return Planes.from_bgr(canvas.finish())


def background(layout: SceneLayout, line: int) -> Planes:
    """All that stands still: stock, floor, the conveyor's frame and the ground of the captions."""
    canvas = _Canvas(layout.width, layout.height, layout.unit)
    canvas.shade((92, 86, 80), (58, 54, 50))
    _draw_stock(canvas, layout, line)
    _draw_floor(canvas, layout)
    _draw_frame(canvas, layout)
    picture = _light(canvas.finish())
    _draw_pill(picture, layout, line)
    planes = Planes.from_bgr(picture)
    x, y = _caption_at(layout)
    cells = glyphs(title(line), layout.unit)
    for number, char in enumerate(title(line)):
        height, width = cells[char].shape
        left = x + number * width
        planes.y[y : y + height, left : left + width] = cells[char]
    return planes


class _Canvas:
    """A picture drawn larger than needed, in units from its top left, and then scaled down
    smoothly.
    """

    def __init__(self, width: int, height: int, unit: int) -> None:
        self.size = (width, height)
        self.width, self.height = width / unit, height / unit
        self._zoom = unit * SUPERSAMPLE
        self.bgr = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE, 3), np.uint8)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round(x * self._zoom), round(y * self._zoom)

    def shade(self, top: Colour, bottom: Colour, y0: float = 0, y1: float | None = None) -> None:
        """Fill from `y0` to `y1` with colours that go from one to the other."""
        first, last = (
            round(y0 * self._zoom),
            self.bgr.shape[0] if y1 is None else round(y1 * self._zoom),
        )
        rows = self.bgr[first:last]
        mix = np.linspace(0, 1, len(rows), dtype=np.float32)[:, None]
        rows[:] = (
            (np.asarray(top) * (1 - mix) + np.asarray(bottom) * mix)
            .round()
            .astype(np.uint8)[:, None, :]
        )

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        (left, top), (right, bottom) = self._at(x0, y0), self._at(x1, y1)
        cv2.rectangle(self.bgr, (left, top), (right - 1, bottom - 1), colour, -1)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: Colour, thickness: float
    ) -> None:
        pixels = max(1, round(thickness * self._zoom))
        cv2.line(self.bgr, self._at(*start), self._at(*end), colour, pixels, cv2.LINE_AA)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        cv2.circle(self.bgr, self._at(x, y), round(radius * self._zoom), colour, -1, cv2.LINE_AA)

    def slanted(
        self, x0: float, x1: float, y0: float, y1: float, slant: float, colour: Colour
    ) -> None:
        corners = [
            self._at(x0 + slant, y0),
            self._at(x1 + slant, y0),
            self._at(x1, y1),
            self._at(x0, y1),
        ]
        cv2.fillPoly(self.bgr, [np.asarray(corners, np.int32)], colour, cv2.LINE_AA)

    def write(self, text: str, x: float, y: float, size: float, colour: Colour) -> None:
        """`text` centred on `x`, standing on `y`, with letters `size` units high."""
        scale, stroke = size * self._zoom / 21.0, max(1, round(size * self._zoom / 9))
        width = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, scale, stroke)[0][0]
        left, bottom = self._at(x, y)
        cv2.putText(
            self.bgr,
            text,
            (left - width // 2, bottom),
            cv2.FONT_HERSHEY_DUPLEX,
            scale,
            colour,
            stroke,
            cv2.LINE_AA,
        )

    def blur(self, y0: float, y1: float, radius: float) -> None:
        rows = self.bgr[round(y0 * self._zoom) : round(y1 * self._zoom)]
        rows[:] = cv2.GaussianBlur(rows, (0, 0), radius * self._zoom)

    def finish(self) -> Plane:
        return as_plane(cv2.resize(self.bgr, self.size, interpolation=cv2.INTER_AREA))


def _draw_box(canvas: _Canvas, colour: Colour) -> None:
    width, height = canvas.width, canvas.height
    canvas.shade(_tint(colour, 1.06), _tint(colour, 0.94))
    middle = width / 2
    canvas.box(middle - 3, 0, middle + 3, height, _tint(colour, 1.13))
    canvas.line((middle, 0), (middle, height), _tint(colour, 0.82), 0.2)
    for x0, y0, x1, y1, tint in (
        (0, 0, width, 0.7, 1.22),
        (0, 0, 0.7, height, 1.12),
        (0, height - 0.9, width, height, 0.66),
        (width - 0.7, 0, width, height, 0.76),
    ):
        canvas.box(x0, y0, x1, y1, _tint(colour, tint))


def _draw_label(canvas: _Canvas, layout: SceneLayout, text: str) -> None:
    unit = layout.unit
    left, top = layout.symbol_inset / unit, (layout.symbol_y - layout.parcel_y) / unit
    right, bottom = left + SYMBOL_MODULES, top + SYMBOL_MODULES
    canvas.box(left - 3.2, top - 2.7, right + 3.6, bottom + 6.0, (64, 92, 122))
    canvas.box(left - 3.5, top - 3, right + 3.5, bottom + 5.7, (250, 250, 250))
    canvas.write(text, (left + right) / 2, bottom + 4.6, 2.0, (40, 36, 34))


def _draw_stock(canvas: _Canvas, layout: SceneLayout, line: int) -> None:
    """Shelves behind the belt, out of focus so that they stay quiet."""
    random = np.random.default_rng(line)
    bottom = layout.belt_y / layout.unit - 1
    for shelf in (bottom - 11.5, bottom - 1):
        x = float(random.uniform(-4, 0))
        while x < canvas.width:
            width, height = random.uniform(5, 11), random.uniform(4.5, 8.5)
            colour = STOCK[int(random.integers(len(STOCK)))]
            canvas.box(x, shelf - height, x + width, shelf, _tint(colour, 0.72))
            canvas.box(x, shelf - height, x + width, shelf - height + 0.8, _tint(colour, 0.9))
            x += width + random.uniform(0.3, 3)
        canvas.box(0, shelf, canvas.width, shelf + 1.3, (84, 70, 44))
    for x in np.arange(12, canvas.width, 34):
        canvas.box(x, 0, x + 1.6, bottom, (96, 78, 46))
    canvas.blur(0, bottom, 0.75)


def _draw_floor(canvas: _Canvas, layout: SceneLayout) -> None:
    top = (layout.belt_y + layout.belt_height) / layout.unit
    canvas.shade((84, 82, 80), (120, 117, 114), top)
    canvas.box(0, canvas.height - 6, canvas.width, canvas.height - 3.4, (60, 176, 214))
    for x in np.arange(-4, canvas.width + 8, 8):
        canvas.slanted(x, x + 4, canvas.height - 6, canvas.height - 3.4, 2.6, (44, 42, 40))
    canvas.blur(top + 6, canvas.height, 0.25)


def _draw_frame(canvas: _Canvas, layout: SceneLayout) -> None:
    top = layout.belt_y / layout.unit
    bottom = top + layout.belt_height / layout.unit
    for x in np.arange(10, canvas.width, 46):
        canvas.box(x, bottom, x + 4, canvas.height - 7.5, (70, 66, 62))
        canvas.box(x, bottom, x + 0.9, canvas.height - 7.5, (104, 99, 94))
        canvas.box(x - 1.5, canvas.height - 8.2, x + 5.5, canvas.height - 7.2, (58, 55, 52))
    canvas.shade((168, 162, 156), (104, 99, 94), top - 2, top)
    canvas.shade((196, 191, 186), (112, 107, 102), bottom, bottom + 5.2)
    canvas.box(0, bottom + 1.9, canvas.width, bottom + 2.5, (146, 172, 52))
    canvas.box(0, bottom + 5.2, canvas.width, bottom + 6.2, (56, 53, 50))
    for x in np.arange(5, canvas.width, 11.5):
        canvas.disc(x, bottom + 3.8, 0.55, (84, 80, 76))
        canvas.disc(x - 0.12, bottom + 3.68, 0.3, (176, 171, 166))


def _light(picture: Plane) -> Plane:
    """A lamp above the middle: the corners are a little darker."""
    height, width = picture.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-0.8, 1.1, height, dtype=np.float32)[:, None]
    light = 1.08 - 0.30 * np.clip(x * x + 0.5 * y * y, 0, 1.2)
    return as_plane(np.clip(picture * light[:, :, None], 0, 255).astype(np.uint8))


def _caption_at(layout: SceneLayout) -> tuple[int, int]:
    return _even(4.5 * layout.unit), _even(3 * layout.unit)


def _draw_pill(picture: Plane, layout: SceneLayout, line: int) -> None:
    unit = layout.unit
    x, y = _caption_at(layout)
    cells = len(title(line)) + 2 + len("00:00:00.000") + 2 + len("#000000")
    left, top, right, bottom = (
        x - 2 * unit,
        y - unit,
        x + (2 * cells + 2) * unit,
        y + _even(3.6 * unit) + unit,
    )
    radius = (bottom - top) // 2
    for centre in (left + radius // 2, right - radius // 2):
        cv2.circle(picture, (centre, top + radius), radius, PILL, -1, cv2.LINE_AA)
    cv2.rectangle(
        picture, (left + radius // 2, top), (right - radius // 2, top + 2 * radius), PILL, -1
    )


def _tint(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255, round(part * factor)) for part in colour)
    return blue, green, red


def _luma(colour: Colour) -> int:
    return int(Planes.from_bgr(np.full((2, 2, 3), colour, np.uint8)).y[0, 0])


def _even(value: float) -> int:
    return int(value) // 2 * 2
