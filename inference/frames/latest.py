"""The newest frame of each camera, waiting for a model: what makes a slow model skip frames
instead of falling behind.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sightline.kafka import Record
from sightline.messages import Detection, Frame


@dataclass(frozen=True, slots=True)
class Waiting:
    """A frame, the record it came in, and when that was read from Kafka (ns). ``found``: what a
    first stage found in it, for a second stage.
    """

    frame: Frame
    record: Record
    consumed_at: int
    found: tuple[Detection, ...] = ()


class LatestFrames:
    """One slot a camera. A newer frame takes the place of the one that still waits, which counts
    as skipped. Thread-safe.
    """

    def __init__(self) -> None:
        self._skips: Counter[str] = Counter()
        self._slots: dict[str, Waiting] = {}
        self._filled = threading.Condition()

    def put(self, waiting: Waiting) -> None:
        """Offer a frame. A camera keeps its place in the queue, so that a fast camera does not
        push out a slow one.
        """
        with self._filled:
            camera = waiting.frame.camera
            self._skips[camera] += camera in self._slots
            self._slots[camera] = waiting
            self._filled.notify()

    def take(self, most: int, timeout: float, patience: float = 0.0) -> list[Waiting]:
        """Up to ``most`` frames of different cameras, who waits longest first; empty after
        ``timeout`` seconds.

        The first one waits ``patience`` seconds at most for the others.
        """
        with self._filled:
            if self._filled.wait_for(lambda: bool(self._slots), timeout) and most > 1:
                self._filled.wait_for(lambda: len(self._slots) >= most, patience)
            cameras = list(self._slots)[:most]
            return [self._slots.pop(camera) for camera in cameras]

    def cameras(self) -> frozenset[str]:
        """The cameras whose frames wait."""
        with self._filled:
            return frozenset(self._slots)

    def skip(self, cameras: Iterable[str]) -> None:
        """Count a frame of each of these cameras that was taken, but not looked at because newer
        ones had come.
        """
        with self._filled:
            self._skips.update(cameras)

    def skips(self) -> Counter[str]:
        """The frames skipped so far, by camera."""
        with self._filled:
            return self._skips.copy()

    @property
    def skipped(self) -> int:
        """The frames skipped so far."""
        return self.skips().total()

    def keep(self, cameras: frozenset[str]) -> None:
        """Forget the frames of all other cameras."""
        with self._filled:
            self._slots = {
                camera: waiting for camera, waiting in self._slots.items() if camera in cameras
            }
