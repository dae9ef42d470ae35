"""Keeps the latest frame of each camera, so that a slow model skips frames instead of falling
behind.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from sightline.kafka import Record
from sightline.messages import Detection, Frame


@dataclass(frozen=True, slots=True)
class WaitingFrame:
    """A frame that waits for its model, its record, and when that was read from Kafka (ns).

    ``found``: the detections of a first stage, for a second stage.
    """

    frame: Frame
    record: Record
    consumed_at: int
    found: tuple[Detection, ...] = ()


class LatestFrames:
    """The latest frame of each camera. A frame that is replaced counts as skipped. Thread-safe."""

    def __init__(self) -> None:
        self._skips: Counter[str] = Counter()
        self._frames: dict[str, WaitingFrame] = {}
        self._filled = threading.Condition()

    def put(self, waiting: WaitingFrame) -> None:
        """Offer a frame. A camera keeps its place in the queue, so that a fast camera does not
        push out a slow one.
        """
        with self._filled:
            camera = waiting.frame.camera
            self._skips[camera] += camera in self._frames
            self._frames[camera] = waiting
            self._filled.notify()

    def take(self, limit: int, timeout: float, patience: float = 0.0) -> list[WaitingFrame]:
        """At most ``limit`` frames of different cameras, oldest first; empty after ``timeout``
        seconds. The first frame waits at most ``patience`` seconds for the others.
        """
        with self._filled:
            if self._filled.wait_for(lambda: bool(self._frames), timeout) and limit > 1:
                self._filled.wait_for(lambda: len(self._frames) >= limit, patience)
            cameras = list(self._frames)[:limit]
            return [self._frames.pop(camera) for camera in cameras]

    def cameras(self) -> frozenset[str]:
        """The cameras with a waiting frame."""
        with self._filled:
            return frozenset(self._frames)

    def skip(self, cameras: Iterable[str]) -> None:
        """Count a frame of each camera as skipped: it was taken, but dropped for a newer one."""
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
            self._frames = {name: item for name, item in self._frames.items() if name in cameras}
