"""Detects a camera that keeps sending frames but shows no live view: the same image again and
again, or only darkness.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

import numpy as np

from cameras.sources.base import Luma, LumaSample
from sightline.messages import CameraState, Cause

SAMPLE_SECONDS: Final = 1.0
# After the first: judge even a camera that sends a frame every ten seconds by several of them.
MIN_SAMPLES: Final = 4

# The share of luma points that differ. A frozen image, re-encoded with a clock in it, stays below
# 0.005. A sensor's noise changes more than 0.15 in a JPEG of usual quality and in a key frame, but
# an encoder may leave it out between two key frames: a verdict needs a new key frame.
SAME_SHARE: Final = 0.01
OTHER_SHARE: Final = 0.02

# As in FFmpeg's filter blackdetect: pixel_black_th 0.10 and picture_black_ratio_th 0.98.
DARKEST: Final = 25
BLACK_SHARE: Final = 0.98
BRIGHT_SHARE: Final = 0.95
FLAT_LEVELS: Final = 4

FROZEN: Final = "The camera sends the same picture again and again."
FLAT: Final = "The camera sends one flat colour again and again: it may have no video signal."
BLACK: Final = "The camera sends a black picture."


class Fault(NamedTuple):
    """What is wrong with the frames that come, and since when (ns since the epoch)."""

    state: CameraState
    detail: str
    since: int

    @property
    def cause(self) -> Cause | None:
        """What explains it, where something other than the camera's state does."""
        return Cause.NO_SIGNAL if self.detail == FLAT else None


class FreezeDetector:
    """Compares a luma sample a second. Reports a fault once it has lasted, and clears it at the
    first sample that is clearly different.
    """

    def __init__(self, frozen_seconds: float, black_seconds: float) -> None:
        self._frozen = _Debounced(frozen_seconds)
        self._black = _Debounced(black_seconds)
        self._reference: LumaSample | None = None
        self._fault: Fault | None = None
        self._due = float("-inf")

    def due(self, now: float) -> bool:
        """Whether it is time for the next ``update`` (monotonic seconds)."""
        return now >= self._due

    def update(self, sample: LumaSample, now: float) -> Fault | None:
        """What is wrong, by this sample and those before it; None if nothing is."""
        self._due = now + SAMPLE_SECONDS
        self._black.update(self._is_black(sample.luma), now)
        self._frozen.update(self._is_same(sample), now)
        if self._black.active:
            self._set_fault(CameraState.BLACK, BLACK, now - self._black.began)
        elif self._frozen.active and self._has_new_key_frame(sample):
            detail = FLAT if _spread(sample.luma) <= FLAT_LEVELS else FROZEN
            self._set_fault(CameraState.FROZEN, detail, now - self._frozen.began)
        else:
            self._fault = None
        return self._fault

    def _set_fault(self, state: CameraState, detail: str, seconds: float) -> None:
        if self._fault is None or self._fault.state is not state:
            self._fault = Fault(state, detail, time.time_ns() - round(seconds * 1e9))

    def _is_black(self, luma: Luma) -> bool:
        dark = np.count_nonzero(luma <= DARKEST) / luma.size
        return bool(dark >= (BRIGHT_SHARE if self._black.active else BLACK_SHARE))

    def _is_same(self, sample: LumaSample) -> bool:
        limit = OTHER_SHARE if self._frozen.active else SAME_SHARE
        if self._reference is not None and _changed(self._reference.luma, sample.luma) <= limit:
            return True
        self._reference = sample
        return False

    def _has_new_key_frame(self, sample: LumaSample) -> bool:
        assert self._reference is not None
        return sample.key_frame != self._reference.key_frame


class _Debounced:
    """A condition that is active once it has held for some seconds and several samples.

    ``began``: when it last did not hold, or the first sample.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began = 0.0
        self.active = False
        self._samples = -1

    def update(self, holds: bool, now: float) -> None:
        if holds and self._samples >= 0:
            self._samples += 1
        else:
            self.began, self._samples = now, 0
        self.active = holds and self._samples >= MIN_SAMPLES and now - self.began >= self.seconds


def _changed(before: Luma, after: Luma) -> float:
    """The share of points that differ; 1.0 if the frames differ in size."""
    return np.count_nonzero(before != after) / after.size if before.shape == after.shape else 1.0


def _spread(luma: Luma) -> float:
    """The range of shades, without the outermost hundredth on both sides."""
    dark, bright = np.percentile(luma, (1, 99))
    return float(bright - dark)
