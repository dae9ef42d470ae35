"""A runtime whose predictions the tests decide: ``stub`` with the option ``name``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from inference.runtimes import RuntimeKind
from inference.runtimes.base import Picture
from inference.runtimes.options import Options, text
from sightline.messages import Detection

KIND = RuntimeKind("Stub", "tests.inference.stub", "Stub")

Detections = tuple[Detection, ...]


def one_thing(picture: Picture) -> Detections:
    """One detection, the same in every picture."""
    return (Detection("thing", 0.9, (0.25, 0.25, 0.75, 0.75)),)


@dataclass
class Mind:
    """What a stub does: ``on_load`` and ``see`` may raise; ``calls`` are the pictures of each
    call.
    """

    see: Callable[[Picture], Detections] = one_thing
    on_load: Callable[[], object] = lambda: None
    on_call: Callable[[], object] = lambda: None
    calls: list[list[Picture]] = field(default_factory=list)
    closed: int = 0


class StubOptions(Options):
    name: str = text("", "Which mind.")


class Stub:
    """The runtime. ``minds`` by name."""

    minds: ClassVar[dict[str, Mind]] = {}

    Options = StubOptions

    def __init__(self, options: StubOptions) -> None:
        self.mind = self.minds[options.name]

    def load(self) -> None:
        self.mind.on_load()

    def predict(self, batch: Sequence[Picture]) -> list[Detections]:
        self.mind.calls.append(list(batch))
        self.mind.on_call()
        return [self.mind.see(picture) for picture in batch]

    def close(self) -> None:
        self.mind.closed += 1
