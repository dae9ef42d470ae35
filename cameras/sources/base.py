"""What every source gives: frames, and errors in an operator's words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from sightline.messages import CameraState, Cause

Luma = NDArray[np.uint8]

Addresses = Sequence[IPv4Address | IPv6Address]

DestinationCheck = Callable[[str, int], Addresses]
"""Called with host and port before each connection; gives the IP addresses that it may go to, and
raises AddressError to refuse it. Whoever connects goes to one of them and resolves nothing itself.
"""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """One encoded frame: `data` is a whole JPEG file of `width` x `height` pixels."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class LumaSample:
    """The luma (0..255) of pixels spread evenly over a frame, (h, w); at least 80 x 45 where the
    frame has as many.

    ``key_frame`` is when the newest key frame came, in ns since the epoch.
    """

    luma: Luma
    key_frame: int


class SourceFrame(Protocol):
    """One frame of a camera, not yet encoded: a frame that is skipped costs no encode.

    `captured_at` is when it left the decoder, in ns since the epoch.
    """

    @property
    def captured_at(self) -> int: ...

    def jpeg(self, quality: int, max_width: int | None) -> Jpeg:
        """Encode, scaled down to `max_width` pixels with the aspect kept. Raises CorruptFrame."""
        ...

    def luma_sample(self) -> LumaSample:
        """What the freeze detector compares. Raises CorruptFrame."""
        ...


class Source(Protocol):
    """A camera: a context manager that connects on entry, and an iterator of its frames.

    Entering and iterating raise SourceError. Iteration ends without one only when the stop event
    is set. `codec` is known once the first frame came. `paced` sources already deliver at the
    settings' fps.
    """

    @property
    def codec(self) -> str: ...

    @property
    def paced(self) -> bool: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def __iter__(self) -> Iterator[SourceFrame]: ...


class SourceError(Exception):
    """The camera gives no frames. `detail` is one plain sentence for operators and never holds
    credentials. `answered`: the camera replied to the connection at all.
    """

    def __init__(
        self, state: CameraState, detail: str, cause: Cause, *, answered: bool = True
    ) -> None:
        super().__init__(state, detail)
        self.state = state
        self.detail = detail
        self.cause = cause
        self.answered = answered

    def __str__(self) -> str:
        return self.detail


class CorruptFrame(Exception):
    """This frame is unusable; the next may be fine."""


class AddressError(ValueError):
    """An address that cannot be used; the message says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How to reach one camera. Time-outs are in seconds; paced sources deliver at `fps`."""

    kind: str
    url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    fps: float = 10.0
    transport: str = "tcp"
    first_seq: int = 0
    open_timeout: float = 5.0
    read_timeout: float = 5.0
