"""Watches what a camera shows: the same picture again and again, or nothing but darkness, is no
live view, although pictures keep coming.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

import numpy as np

from cameras.sources.base import Look, Points
from sightline.messages import CameraState

LOOK_SECONDS: Final = 1.0
# So many after the first: a camera that sends a picture every ten seconds is judged by several of
# them, too.
MIN_LOOKS: Final = 4

# The share of points whose luma differs. Of a frozen picture, re-encoded, with a clock in it: up to
# 0.005. The noise of a sensor changes more than 0.15 in a JPEG of usual quality and in a key frame;
# between two key frames an encoder may leave it out, so a key frame must have come.
SAME_SHARE: Final = 0.01
OTHER_SHARE: Final = 0.02

# As FFmpeg's filter blackdetect has it: pixel_black_th 0.10 and picture_black_ratio_th 0.98.
DARKEST: Final = 25
BLACK_SHARE: Final = 0.98
BRIGHT_SHARE: Final = 0.95
FLAT_LEVELS: Final = 4

FROZEN: Final = "The camera sends the same picture again and again."
FLAT: Final = "The camera sends one flat colour again and again: it may have no video signal."
BLACK: Final = "The camera sends a black picture."


class Fault(NamedTuple):
    """What is wrong with the pictures of a camera that sends them, and since when (ns since the
    epoch).
    """

    state: CameraState
    detail: str
    since: int


class PictureWatch:
    """Takes a look at a picture a second, and says what is wrong once it has lasted. It heals
    with the first look that is clearly different.
    """

    def __init__(self, frozen_seconds: float, black_seconds: float) -> None:
        self._frozen = _Lasting(frozen_seconds)
        self._black = _Lasting(black_seconds)
        self._reference: Look | None = None
        self._fault: Fault | None = None
        self._due = float("-inf")

    def due(self, now: float) -> bool:
        """Whether it is time to ``see`` a picture (monotonic seconds)."""
        return now >= self._due

    def see(self, look: Look, now: float) -> Fault | None:
        """What is wrong, by this picture and those before it; None when all is well."""
        self._due = now + LOOK_SECONDS
        self._black.tell(self._is_black(look.points), now)
        self._frozen.tell(self._is_same(look), now)
        if self._black.lasts:
            self._hold(CameraState.BLACK, BLACK, now - self._black.began)
        elif self._frozen.lasts and self._has_key_frame_since(look):
            detail = FLAT if _spread(look.points) <= FLAT_LEVELS else FROZEN
            self._hold(CameraState.FROZEN, detail, now - self._frozen.began)
        else:
            self._fault = None
        return self._fault

    def _hold(self, state: CameraState, detail: str, lasting: float) -> None:
        if self._fault is None or self._fault.state is not state:
            self._fault = Fault(state, detail, time.time_ns() - round(lasting * 1e9))

    def _is_black(self, points: Points) -> bool:
        dark = np.count_nonzero(points <= DARKEST) / points.size
        return bool(dark >= (BRIGHT_SHARE if self._black.lasts else BLACK_SHARE))

    def _is_same(self, look: Look) -> bool:
        most = OTHER_SHARE if self._frozen.lasts else SAME_SHARE
        if self._reference is not None and _changed(self._reference.points, look.points) <= most:
            return True
        self._reference = look
        return False

    def _has_key_frame_since(self, look: Look) -> bool:
        assert self._reference is not None
        return look.key_frame != self._reference.key_frame


class _Lasting:
    """Something that counts once it has been so for some seconds and several looks. ``began``:
    the last look at which it was not so, or the first.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began = 0.0
        self.lasts = False
        self._looks = -1

    def tell(self, holds: bool, now: float) -> None:
        if holds and self._looks >= 0:
            self._looks += 1
        else:
            self.began, self._looks = now, 0
        self.lasts = holds and self._looks >= MIN_LOOKS and now - self.began >= self.seconds


def _changed(before: Points, after: Points) -> float:
    """The share of points that differ; 1.0 when the pictures are of different sizes."""
    return np.count_nonzero(before != after) / after.size if before.shape == after.shape else 1.0


def _spread(points: Points) -> float:
    """How far the shades lie apart, the outermost hundredth on both sides left out."""
    dark, bright = np.percentile(points, (1, 99))
    return float(bright - dark)
