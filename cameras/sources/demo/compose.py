"""Puts the moving parts of the demo scene into a frame, plane by plane."""

from __future__ import annotations

import cv2

from cameras.sources.demo.layout import SceneLayout
from cameras.sources.planes import Plane, Planes


def blit(planes: Planes, sprite: Planes, x: int, y: int) -> None:
    """Copy a sprite to an even position, cut off at the edges of the frame."""
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
    """Copy the belt, moved by `offset` pixels to the left."""
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
