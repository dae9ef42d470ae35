"""One image of a camera, as it travels through Kafka."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from sightline.messages.json import MessageError, whole_number
from sightline.telemetry import tracing

# Of a JPEG: its header has 16 bits for each (ITU-T T.81, B.2.2).
MAX_SIDE: Final = 65_535


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a camera; ``captured_at`` is when it left the camera's decoder.

    ``offset``: in the frames topic. ``trace``: of a traced frame, the parent of its next spans.
    """

    camera: str
    seq: int
    captured_at: int
    width: int
    height: int
    jpeg: bytes
    offset: int = -1
    trace: str = ""

    @property
    def ref(self) -> FrameRef:
        """The frame without its JPEG."""
        return FrameRef(self.seq, self.captured_at, self.width, self.height, self.offset)

    def headers(self) -> dict[str, bytes]:
        """The Kafka headers: decimal numbers as text, so that any tool can read them."""
        values = {
            "seq": self.seq,
            "captured_at": self.captured_at,
            "width": self.width,
            "height": self.height,
        }
        traced = {tracing.HEADER: self.trace} if self.trace else {}
        return {name: str(value).encode() for name, value in (values | traced).items()}

    @classmethod
    def from_record(
        cls, camera: str, value: bytes | None, headers: Mapping[str, bytes], offset: int
    ) -> Self:
        """Read a record of a frames topic; MessageError when a header is missing or wrong, or
        the value is empty.
        """
        if not value:
            raise MessageError("the record has no picture")
        try:
            seq, captured_at, width, height = (
                whole_number(headers[name]) for name in ("seq", "captured_at", "width", "height")
            )
        except (KeyError, ValueError) as err:
            raise MessageError(f"the frame's headers are incomplete: {err}") from err
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
            raise MessageError(f"a picture cannot be {width} pixels wide and {height} high")
        return cls(
            camera, seq, captured_at, width, height, value, offset, tracing.parent_in(headers)
        )


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Which frame a prediction belongs to."""

    seq: int
    captured_at: int
    width: int
    height: int
    offset: int
