"""One camera on one viewer's wall: which frame it may get next, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.messages import Frame
from sightline.pace import Pace
from streaming.feeds import Feed, Kind

UNACKNOWLEDGED = 2
PATIENCE_SECONDS = 10.0
NOTHING = (-1, -1)


@dataclass(slots=True)
class Tile:
    """What a viewer asked for and what was sent. A viewer that does not acknowledge gets nothing more for PATIENCE_SECONDS.

    Without a pace it is no picture that the viewer follows, only states, each told once.
    """

    camera: str
    width: int
    pace: Pace | None
    enabled: bool = True
    told: object = None
    offered: tuple[int, int] = NOTHING
    unacknowledged: dict[int, float] = field(default_factory=dict)

    @property
    def frames(self) -> Feed:
        """Where its pictures come from."""
        return Feed(self.camera, Kind.FRAMES)

    @property
    def predictions(self) -> Feed:
        """Where its predictions come from."""
        return Feed(self.camera, Kind.PREDICTIONS)

    @property
    def status(self) -> Feed:
        """Where its status comes from."""
        return Feed(self.camera, Kind.STATUS)

    @property
    def models(self) -> Feed:
        """Where the states of the models that look at it come from."""
        return Feed(self.camera, Kind.MODELS)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """All of these that are followed."""
        return (self.status, self.models) if self.pace is None else (self.frames, self.predictions, self.status, self.models)

    def offer(self, frame: Frame) -> bool:
        """Whether the viewer gets this frame: it has not had it, and did not ask for fewer. What is left once is not offered again."""
        identity = (frame.seq, frame.captured_at)
        if self.pace is None or identity == self.offered:
            return False
        self.offered = identity
        return self.pace.takes(frame.captured_at)

    def reshape(self, fps: float, width: int) -> None:
        """The viewer wants it otherwise, also a picture that stands still."""
        self.width = width
        self.offered = NOTHING
        self.pace = Pace(fps) if fps else None
        self.told = None

    def tells(self, said: object) -> bool:
        """Whether a state is to be told: always beside pictures, else only what was not told last."""
        news = self.pace is not None or said != self.told
        self.told = said
        return news

    def wait(self, now: float) -> float:
        """Seconds until a frame may go, for all that is known now; 0 = now."""
        if len(self.unacknowledged) < UNACKNOWLEDGED:
            return 0.0
        oldest = min(self.unacknowledged.values())
        if now - oldest < PATIENCE_SECONDS:
            return oldest + PATIENCE_SECONDS - now
        self.unacknowledged.clear()
        return 0.0

    def went(self, frame: Frame, now: float) -> None:
        """A frame was sent."""
        self.unacknowledged[frame.seq] = now

    def acknowledge(self, seq: int) -> None:
        """The viewer has the frame, and so all that were sent before it."""
        if seq not in self.unacknowledged:
            return
        for sent in list(self.unacknowledged):
            del self.unacknowledged[sent]
            if sent == seq:
                return
