from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from inference.frames.latest import LatestFrames
from inference.frames.predict import PreparedFrame
from inference.frames.prefetch import MAX_READY, OLD_SECONDS, Prefetch
from inference.plans import CameraDeployment, FramePlan
from sightline.kafka import Record
from tests.inference.fakes import plan
from tests.inference.frames.test_latest import waiting
from tests.inference.pictures import blank, encode
from tests.servers.waiting import wait_until

JPEG = encode(blank(64, 36))


class Rig:
    """A prefetch with its thread; the test shows frames and takes them as a model does."""

    def __init__(self, plan: FramePlan) -> None:
        self.latest = LatestFrames()
        self.refused: list[Record] = []
        self.prefetch = Prefetch(
            self.latest,
            lambda: plan,
            lambda: len(plan.cameras),
            lambda record, err: self.refused.append(record),
        )
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.prefetch.run, args=(self.stopping,))

    def show(self, camera: str, seq: int) -> None:
        self.latest.put(waiting(camera, seq))

    def next(self) -> list[int]:
        """The numbers of the next frames for the model."""
        return [prepared.waiting.frame.seq for prepared in self.prefetch.next(10)]

    def frames(self) -> list[PreparedFrame]:
        return self.prefetch.next(10)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig(plan("dock"))
    rig.thread.start()
    yield rig
    rig.stopping.set()
    rig.thread.join(10)


def test_a_model_that_is_free_gets_a_frame_at_once(rig: Rig) -> None:
    assert rig.prefetch.next(0.01) == []
    rig.show("dock", 1)
    assert rig.next() == [1]


def test_the_next_frame_is_ready_when_the_model_is_done(rig: Rig) -> None:
    rig.show("dock", 1)
    assert rig.next() == [1]
    rig.show("dock", 2)
    wait_until(
        lambda: rig.prefetch._ready, what="the second frame to be prepared while the model works"
    )
    assert rig.next() == [2]


def test_a_slow_models_next_frame_is_not_taken_too_early(rig: Rig) -> None:
    pause = threading.Event()
    for seq in range(1, 4):
        rig.show("dock", seq)
        assert rig.next() == [seq]
        pause.wait(0.3)  # the model works
    rig.show("dock", 10)
    assert rig.next() == [10]
    for seq in range(11, 20):
        rig.show("dock", seq)
    assert rig.prefetch._due - time.monotonic() > 0.1
    pause.wait(0.05)
    rig.show("dock", 20)
    assert rig.next() == [20], "not one of those that came when the model had just begun"


def test_a_frame_that_waited_long_for_the_model_makes_room_for_a_newer_one(rig: Rig) -> None:
    rig.show("dock", 1)
    assert rig.next() == [1]
    rig.show("dock", 2)
    wait_until(lambda: rig.prefetch._ready, what="the second frame to be prepared")
    rig.show("dock", 3)
    wait_until(
        lambda: time.monotonic() - rig.prefetch._ready[0].since > 2 * OLD_SECONDS,
        what="the second frame to be old",
    )
    assert rig.next() == [3]
    assert rig.latest.skipped == 1


def test_of_a_quick_model_several_are_made_ready(rig: Rig) -> None:
    for seq in range(1, 12):
        rig.show("dock", seq)
        assert rig.next() == [seq]
    for seq in range(20, 30):
        rig.show("dock", seq)
        wait_until(
            lambda: not rig.latest._frames or len(rig.prefetch._ready) >= 2,
            what="the frame to be prepared",
        )
    assert 2 <= len(rig.prefetch._ready) <= MAX_READY


def test_what_the_model_asked_of_pictures_is_decoded_beforehand(rig: Rig) -> None:
    rig.show("dock", 1)
    (prepared,) = rig.frames()
    assert prepared.pictures[0].decodings == ()
    rig.prefetch.decodings = (("GRAY", 32),)
    rig.latest.put(waiting("dock", 2, JPEG))
    (prepared,) = rig.frames()
    assert ("GRAY", 32) in prepared.pictures[0]._decoded
    assert prepared.pictures[0].decodings == (), "what was prepared is not what the model asked for"


def test_a_broken_picture_is_left_to_the_model_to_find(rig: Rig) -> None:
    rig.prefetch.decodings = (("BGR", None),)
    rig.show("dock", 1)
    assert rig.next() == [1]
    assert rig.refused == []


def test_frames_of_cameras_that_are_not_seen_are_dropped(rig: Rig) -> None:
    rig.show("gate", 1)
    rig.show("dock", 2)
    assert rig.next() == [2]


def test_a_frame_that_cannot_be_cut_up_is_refused() -> None:
    deployments = (("dock", CameraDeployment("live", 0.0, crops_of="faces@1")),)
    rig = Rig(FramePlan(model="mood", version="1", runtime="stub", deployments=deployments))
    rig.thread.start()
    rig.latest.put(waiting("dock", 1, b"broken", found=True))
    wait_until(lambda: rig.refused, what="the frame to be refused")
    rig.latest.put(waiting("dock", 2, JPEG, found=True))
    (prepared,) = rig.frames()
    assert len(prepared.pictures) == len(prepared.crops) == 1
    rig.stopping.set()
    rig.thread.join(10)
