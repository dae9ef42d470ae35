"""What every source of pictures gives: grabs, and errors in an operator's words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sightline.messages import CameraState

Points = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """One encoded picture: `data` is a whole JPEG file of `width` x `height` pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at of a picture: the luma (0..255) of points spread evenly over it, (h, w), at
    least 80 x 45 where it has so many.

    ``key_frame``: when (ns since the epoch) the newest picture came that was coded by itself,
    not by what changed since the one before.
    """

    points: Points
    key_frame: int


class Grab(Protocol):
    """One picture out of a camera, not yet encoded: a frame that is skipped costs no encode.

    `captured_at` is the moment it left the decoder, in ns since the epoch.
    """

    @property
    def captured_at(self) -> int: ...

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        """Encode, scaled down to `max_width` pixels with the aspect kept. Raises CorruptFrame."""
        ...

    def look(self) -> Look:
        """A quick look at the picture. Raises CorruptFrame."""
        ...


class Source(Protocol):
    """A camera: a context manager that connects on entry, and an iterator of its pictures.

    Entering and iterating raise SourceError. Iteration ends without one only when the stop event
    is set. `codec` is known once the first grab came. `paced` sources already deliver at the
    settings' fps.
    """

    @property
    def codec(self) -> str: ...

    @property
    def paced(self) -> bool: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def __iter__(self) -> Iterator[Grab]: ...


class SourceError(Exception):
    """The camera gives no pictures. `detail` is one plain sentence for operators and never holds
    credentials.

    `answered`: it said something at all when it was asked for them.
    """

    def __init__(self, state: CameraState, detail: str, *, answered: bool = True) -> None:
        super().__init__(state, detail)
        self.state = state
        self.detail = detail
        self.answered = answered

    def __str__(self) -> str:
        return self.detail


class CorruptFrame(Exception):
    """This picture is unusable; the next may be fine."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How to reach one camera. Time-outs in seconds; `fps` is the rate that paced sources
    deliver at.
    """

    kind: str
    url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    fps: float = 10.0
    transport: str = "tcp"
    first_seq: int = 0
    open_timeout: float = 5.0
    read_timeout: float = 5.0
