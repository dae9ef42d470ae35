"""Brings frames together with what a first stage found in them, for a second stage; both come
from Kafka, in any order.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any, Final

from inference.frames.latest import Waiting
from sightline.messages import Detection, Frame, FrameRef

MOST: Final = 32

Identity = tuple[int, int]


class Pairing:
    """One camera's frames that wait for the first stage, and what it said of frames that are not
    here yet: the newest 32 of each.
    """

    def __init__(self) -> None:
        self._frames: OrderedDict[Identity, Waiting] = OrderedDict()
        self._found: OrderedDict[Identity, tuple[Detection, ...]] = OrderedDict()

    def add_frame(self, waiting: Waiting) -> Waiting | None:
        """A frame came; it is given back when the first stage has already spoken."""
        identity = _identity(waiting.frame)
        if identity in self._found:
            return self._paired(waiting, self._found[identity])
        self._frames[identity] = waiting
        if len(self._frames) > MOST:
            self._frames.popitem(last=False)
        return None

    def add_found(self, frame: FrameRef, found: tuple[Detection, ...]) -> Waiting | None:
        """The first stage spoke; its frame is given back when it is here."""
        identity = _identity(frame)
        if identity in self._frames:
            return self._paired(self._frames[identity], found)
        self._found[identity] = found
        if len(self._found) > MOST:
            self._found.popitem(last=False)
        return None

    def _paired(self, waiting: Waiting, found: tuple[Detection, ...]) -> Waiting:
        """Older ones have no hope any more: the first stage takes a camera's frames in order,
        and skips some.
        """
        _forget(self._frames, waiting.frame.captured_at)
        _forget(self._found, waiting.frame.captured_at)
        return replace(waiting, found=found)


def _identity(frame: Frame | FrameRef) -> Identity:
    return frame.seq, frame.captured_at


def _forget(held: OrderedDict[Identity, Any], until: int) -> None:
    for identity in [identity for identity in held if identity[1] <= until]:
        del held[identity]
