"""The parcels of the demo scene: cardboard boxes with QR labels, and their shadow."""

from __future__ import annotations

import cv2
import numpy as np

from cameras.sources.demo.canvas import Canvas, Colour, tint
from cameras.sources.demo.layout import SYMBOL_MODULES, SceneLayout
from cameras.sources.planes import Plane, Planes, as_plane

CARDBOARD: tuple[Colour, ...] = (
    (104, 150, 192),
    (92, 138, 180),
    (116, 160, 200),
    (98, 142, 178),
    (108, 156, 202),
)


def parcel(layout: SceneLayout, text: str, shade: int) -> Planes:
    """A cardboard box with its label, seen from above."""
    canvas = Canvas(layout.parcel_width, layout.parcel_height, layout.unit)
    _draw_box(canvas, CARDBOARD[shade % len(CARDBOARD)])
    _draw_label(canvas, layout, text)
    image = canvas.finish()
    side = layout.symbol
    symbol = cv2.resize(_qr_modules(text), (side, side), interpolation=cv2.INTER_NEAREST)
    top, left = layout.symbol_y - layout.parcel_y, layout.symbol_inset
    image[top : top + side, left : left + side] = np.where(symbol > 0, 250, 14).astype(np.uint8)[
        :, :, None
    ]
    return Planes.from_bgr(image)


def shadow_of_parcel(layout: SceneLayout) -> Plane:
    """A soft shadow as high as the belt; 255 leaves the light as it is."""
    unit = layout.unit
    shadow = np.full((layout.belt_height, layout.parcel_width + 4 * unit), 255, np.uint8)
    top = layout.parcel_y - layout.belt_y + unit
    cv2.rectangle(
        shadow, (2 * unit, top), (layout.parcel_width + unit, top + layout.parcel_height), 70, -1
    )
    return as_plane(cv2.GaussianBlur(shadow, (0, 0), 0.7 * unit))


def _qr_modules(text: str) -> Plane:
    """The symbol for `text`, one pixel a module, without its quiet zone."""
    params = cv2.QRCodeEncoder.Params()
    params.version = 1
    params.correction_level = cv2.QRCODE_ENCODER_CORRECT_LEVEL_Q
    params.mode = cv2.QRCODE_ENCODER_MODE_ALPHANUMERIC
    image = as_plane(cv2.QRCodeEncoder.create(params).encode(text))
    rows, columns = np.nonzero(image == 0)
    return image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _draw_box(canvas: Canvas, colour: Colour) -> None:
    width, height = canvas.width, canvas.height
    canvas.shade(tint(colour, 1.06), tint(colour, 0.94))
    middle = width / 2
    canvas.box(middle - 3, 0, middle + 3, height, tint(colour, 1.13))
    canvas.line((middle, 0), (middle, height), tint(colour, 0.82), 0.2)
    for x0, y0, x1, y1, factor in (
        (0, 0, width, 0.7, 1.22),
        (0, 0, 0.7, height, 1.12),
        (0, height - 0.9, width, height, 0.66),
        (width - 0.7, 0, width, height, 0.76),
    ):
        canvas.box(x0, y0, x1, y1, tint(colour, factor))


def _draw_label(canvas: Canvas, layout: SceneLayout, text: str) -> None:
    unit = layout.unit
    left, top = layout.symbol_inset / unit, (layout.symbol_y - layout.parcel_y) / unit
    right, bottom = left + SYMBOL_MODULES, top + SYMBOL_MODULES
    canvas.box(left - 3.2, top - 2.7, right + 3.6, bottom + 6.0, (64, 92, 122))
    canvas.box(left - 3.5, top - 3, right + 3.5, bottom + 5.7, (250, 250, 250))
    canvas.write(text, (left + right) / 2, bottom + 4.6, 2.0, (40, 36, 34))
