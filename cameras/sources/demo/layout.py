"""The measures of the demo scene.

All sizes follow from one unit, the side of a QR module in pixels: 8 in a 1280 x 720 frame. That
keeps the codes readable after scaling to half. What moves is placed at even columns, so that the
colour planes of half the size stay aligned.
"""

from __future__ import annotations

from dataclasses import dataclass

SYMBOL_MODULES = 21  # QR version 1


@dataclass(frozen=True, slots=True)
class SceneLayout:
    """All measures in pixels. `step` is how far a parcel moves to the left per frame."""

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
        """The scene in a frame of this size."""
        unit = min(width // 160, height // 90)
        step = 3 * unit // 4 * 2
        belt_y = height * 23 // 90 // 2 * 2
        parcel_y = belt_y + even(2.5 * unit)
        return cls(
            width=width,
            height=height,
            unit=unit,
            step=step,
            steps_per_parcel=-(-44 * unit // step),
            # A code leaves between two frames: it is never so near the edge that readers disagree.
            rest=step - 2,
            margin=max(3, 3 * unit // 4),
            symbol=SYMBOL_MODULES * unit,
            symbol_inset=even(7 * unit),
            symbol_y=parcel_y + even(7 * unit),
            parcel_width=even(SYMBOL_MODULES * unit + 14 * unit),
            parcel_height=even(37 * unit),
            parcel_y=parcel_y,
            belt_y=belt_y,
            belt_height=even(42 * unit),
            cleat=8 * step,
        )


def even(value: float) -> int:
    return int(value) // 2 * 2
