"""The hall of the demo scene: everything that stands still, and the belt."""

from __future__ import annotations

import numpy as np

from cameras.sources.demo import captions
from cameras.sources.demo.canvas import Canvas, Colour, tint
from cameras.sources.demo.layout import SceneLayout
from cameras.sources.planes import Plane, Planes, as_plane

STOCK: tuple[Colour, ...] = (
    (88, 118, 150),
    (70, 96, 128),
    (120, 112, 92),
    (96, 88, 64),
    (60, 84, 112),
    (128, 124, 118),
)


def background(layout: SceneLayout, line: int) -> Planes:
    """Everything that stands still: stock, floor, the conveyor and the captions' pill and title."""
    canvas = Canvas(layout.width, layout.height, layout.unit)
    canvas.shade((92, 86, 80), (58, 54, 50))
    _draw_stock(canvas, layout, line)
    _draw_floor(canvas, layout)
    _draw_frame(canvas, layout)
    image = _light(canvas.finish())
    captions.draw_pill(image, layout, line)
    planes = Planes.from_bgr(image)
    captions.write_title(planes.y, layout, line)
    return planes


def belt(layout: SceneLayout) -> Planes:
    """The belt, one period of its pattern wider than the frame."""
    unit, height = layout.unit, layout.belt_height / layout.unit
    width = layout.width + layout.cleat
    canvas = Canvas(width, layout.belt_height, unit)
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


def _draw_stock(canvas: Canvas, layout: SceneLayout, line: int) -> None:
    """Shelves behind the belt, out of focus so that they stay quiet."""
    random = np.random.default_rng(line)
    bottom = layout.belt_y / layout.unit - 1
    for shelf in (bottom - 11.5, bottom - 1):
        x = float(random.uniform(-4, 0))
        while x < canvas.width:
            width, height = random.uniform(5, 11), random.uniform(4.5, 8.5)
            colour = STOCK[int(random.integers(len(STOCK)))]
            canvas.box(x, shelf - height, x + width, shelf, tint(colour, 0.72))
            canvas.box(x, shelf - height, x + width, shelf - height + 0.8, tint(colour, 0.9))
            x += width + random.uniform(0.3, 3)
        canvas.box(0, shelf, canvas.width, shelf + 1.3, (84, 70, 44))
    for x in np.arange(12, canvas.width, 34):
        canvas.box(x, 0, x + 1.6, bottom, (96, 78, 46))
    canvas.blur(0, bottom, 0.75)


def _draw_floor(canvas: Canvas, layout: SceneLayout) -> None:
    top = (layout.belt_y + layout.belt_height) / layout.unit
    canvas.shade((84, 82, 80), (120, 117, 114), top)
    canvas.box(0, canvas.height - 6, canvas.width, canvas.height - 3.4, (60, 176, 214))
    for x in np.arange(-4, canvas.width + 8, 8):
        canvas.slanted(x, x + 4, canvas.height - 6, canvas.height - 3.4, 2.6, (44, 42, 40))
    canvas.blur(top + 6, canvas.height, 0.25)


def _draw_frame(canvas: Canvas, layout: SceneLayout) -> None:
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


def _light(image: Plane) -> Plane:
    """A lamp above the middle: the corners are a little darker."""
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-0.8, 1.1, height, dtype=np.float32)[:, None]
    light = 1.08 - 0.30 * np.clip(x * x + 0.5 * y * y, 0, 1.2)
    return as_plane(np.clip(image * light[:, :, None], 0, 255).astype(np.uint8))
