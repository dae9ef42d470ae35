"""One camera on one viewer's wall: which frame it may get next, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from sightline.base.frame_rate import FrameRateLimiter
from sightline.messages import Frame
from streaming.hub.channels import Channel, ChannelKind
from streaming.hub.scaled_frame import narrower, sizes_below
from streaming.hub.subscriptions import PREDICTIONS_PER_CAMERA, PredictionMessage
from streaming.wall.flow_control import FlowControl

NOTHING = (-1, -1)


@dataclass(slots=True)
class Tile:
    """What a viewer requested and what was sent.

    Without a limiter the viewer follows states only; each is sent once.
    """

    camera: str
    width: int
    limiter: FrameRateLimiter | None
    enabled: bool = True
    last_state: object = None
    offered: tuple[int, int] = NOTHING
    sent: tuple[int, int] = NOTHING
    waiting: deque[PredictionMessage] = field(
        default_factory=lambda: deque(maxlen=PREDICTIONS_PER_CAMERA)
    )
    flow: FlowControl = field(default_factory=FlowControl)

    @property
    def frames(self) -> Channel:
        """Where its frames come from."""
        return Channel(self.camera, ChannelKind.FRAMES)

    @property
    def predictions(self) -> Channel:
        """Where its predictions come from."""
        return Channel(self.camera, ChannelKind.PREDICTIONS)

    @property
    def status(self) -> Channel:
        """Where its status comes from."""
        return Channel(self.camera, ChannelKind.STATUS)

    @property
    def models(self) -> Channel:
        """Where the states of the models that look at it come from."""
        return Channel(self.camera, ChannelKind.MODELS)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """All of these that are followed."""
        return (
            (self.status, self.models)
            if self.limiter is None
            else (self.frames, self.predictions, self.status, self.models)
        )

    def offer(self, frame: Frame) -> bool:
        """Whether the viewer gets this frame: it is new to it and within its frame rate. A frame
        that was skipped is not offered again.
        """
        identity = (frame.captured_at, frame.seq)
        if self.limiter is None or identity == self.offered:
            return False
        self.offered = identity
        return self.limiter.takes(frame.captured_at)

    def reshape(self, fps: float, width: int) -> None:
        """Change rate and width; the newest frame is offered again even if no other comes."""
        self.width = width
        self.offered = NOTHING
        self.limiter = FrameRateLimiter(fps) if fps else None
        self.last_state = None

    def sends_state(self, state: object) -> bool:
        """Whether to send a state: always beside frames, otherwise only when it changed."""
        changed = self.limiter is not None or state != self.last_state
        self.last_state = state
        return changed

    def size_of(self, frame: Frame) -> int:
        """The width at which it gets this frame: what it requested, or less on a slow line."""
        steps = self.flow.steps
        return narrower(min(self.width, frame.width), steps) if steps else self.width

    def went(self, frame: Frame, size: int, now: float) -> None:
        """A frame was sent at a size that it was to get; what libjpeg made of that may be wider."""
        self.sent = (frame.captured_at, frame.seq)
        self.flow.went(frame.seq, now, smaller=sizes_below(min(size, frame.width)))

    def due(self, predictions: Iterable[PredictionMessage], now: float) -> list[str]:
        """What of these, and of those that wait, is to be sent now.

        Everything, but on a slow line only predictions for the frame that was sent last. Those
        for newer frames wait until their frame is sent: ten small messages a second for skipped
        frames would take up the bandwidth that frames need.
        """
        self.waiting.extend(predictions)
        if not self.waiting:
            return []
        slow = self.flow.is_slow(now)
        due = [item.text for item in self.waiting if item.frame == self.sent or not slow]
        newer = [item for item in self.waiting if slow and item.frame > self.sent]
        self.waiting.clear()
        self.waiting.extend(newer)
        return due
