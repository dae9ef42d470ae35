"""The demo camera keeps its rate and its numbering."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import pytest

from cameras.sources import open_source
from cameras.sources.addresses import parse_address
from cameras.sources.base import SourceError
from cameras.sources.demo.source import conveyor_of
from sightline.base import frame_rate as pacing
from tests.cameras.sources.demo.test_scene import agrees, detected
from tests.cameras.sources.opened import settings, take


def test_the_nth_shows_the_nth_frame_after_the_first() -> None:
    frames = take(3, settings("demo", "demo:conveyor?line=2", fps=50, first_seq=1000))
    conveyor = conveyor_of(parse_address("demo", "demo:conveyor?line=2"))
    for seq, frame in zip((1000, 1001, 1002), frames, strict=True):
        assert agrees(conveyor.expected(seq), detected(frame.jpeg(80, None).data, 2))


def test_it_is_paced_at_the_rate_asked_for() -> None:
    source = open_source(settings("demo", "demo:conveyor?size=640x360", fps=50), threading.Event())
    assert source.paced
    with source:
        times = [frame.captured_at for frame in itertools.islice(source, 26)]
    # Frames may come late on a busy machine, but never early: 25 beats of 20 ms.
    assert times[-1] - times[0] > 0.4e9
    assert source.codec == "demo"


def test_it_takes_size_from_its_address() -> None:
    jpeg = take(1, settings("demo", "demo:conveyor?size=640x360"))[0].jpeg(80, None)
    assert (jpeg.width, jpeg.height) == (640, 360)


def test_it_ends_at_once_when_stopped() -> None:
    stop = threading.Event()
    with open_source(settings("demo", "demo:conveyor", fps=0.01), stop) as source:
        frames = iter(source)
        next(frames)
        threading.Timer(0.05, stop.set).start()
        assert list(frames) == []


def test_a_wrong_address_says_what_is_right() -> None:
    with pytest.raises(SourceError, match="demo:conveyor"):
        take(1, settings("demo", "demo:warehouse"))


class Stop(threading.Event):
    """Records how long it was asked to wait, without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return False


def test_beats_missed_in_a_long_pause_are_not_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter((0.0, 0.0, 0.03, 0.25, 60.0, 60.01, 60.12))
    monkeypatch.setattr(pacing, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    stop = Stop()
    ticker = pacing.Ticker(10, stop)
    for _ in range(6):
        assert ticker.wait()
    assert stop.waits == pytest.approx([0.0, 0.07, 0.0, 0.0, 0.09, 0.08])
