from __future__ import annotations

import threading
import time

from inference.frames.latest import LatestFrames, WaitingFrame
from sightline.kafka import Record
from sightline.messages import Detection
from tests.support import frame


def waiting(camera: str, seq: int, jpeg: bytes = b"jpeg", found: bool = False) -> WaitingFrame:
    record = Record(f"p.cameras.{camera}.frames", 0, seq, 0, None, jpeg, ())
    box = (Detection("face", 0.9, (0.1, 0.1, 0.5, 0.5)),) if found else ()
    return WaitingFrame(frame(camera, jpeg, seq=seq), record, time.time_ns(), box)


def names(items: list[WaitingFrame]) -> list[tuple[str, int]]:
    return [(item.frame.camera, item.frame.seq) for item in items]


def taken(latest: LatestFrames, limit: int = 1, timeout: float = 0) -> list[tuple[str, int]]:
    return names(latest.take(limit, timeout))


def test_only_the_newest_frame_waits_and_the_rest_are_counted() -> None:
    latest = LatestFrames()
    for seq in range(5):
        latest.put(waiting("dock", seq))

    assert taken(latest) == [("dock", 4)]
    assert latest.skipped == 4
    assert taken(latest) == []


def test_cameras_take_turns_whatever_their_rate() -> None:
    latest = LatestFrames()
    for camera in ("fast", "slow", "third"):
        latest.put(waiting(camera, 0))
    turns = []
    for seq in range(1, 7):
        turns += taken(latest)
        for _ in range(10):
            latest.put(waiting("fast", seq))
        latest.put(waiting("slow", seq))
        latest.put(waiting("third", seq))

    assert [camera for camera, _ in turns] == ["fast", "slow", "third"] * 2
    assert turns[3] == ("fast", 3)


def test_a_batch_holds_one_frame_a_camera() -> None:
    latest = LatestFrames()
    for camera in ("a", "b", "c"):
        latest.put(waiting(camera, 1))

    assert taken(latest, limit=2) == [("a", 1), ("b", 1)]
    assert taken(latest, limit=2) == [("c", 1)]


def test_taking_waits_for_a_frame() -> None:
    latest = LatestFrames()
    threading.Timer(0.05, latest.put, [waiting("dock", 1)]).start()

    assert taken(latest, timeout=10) == [("dock", 1)]


def test_frames_of_other_cameras_are_forgotten() -> None:
    latest = LatestFrames()
    latest.put(waiting("dock", 1))
    latest.put(waiting("gate", 1))

    latest.keep(frozenset({"gate"}))

    assert taken(latest, limit=5) == [("gate", 1)]
    assert latest.skipped == 0


def test_a_full_batch_is_not_kept_waiting() -> None:
    latest = LatestFrames()
    for camera in ("gate", "yard"):
        latest.put(waiting(camera, 1))
    started = time.monotonic()
    assert len(latest.take(2, 5, patience=60)) == 2
    assert time.monotonic() - started < 30


def test_the_first_waits_for_the_others_but_not_longer_than_its_patience() -> None:
    latest = LatestFrames()
    latest.put(waiting("gate", 1))
    timer = threading.Timer(0.05, latest.put, [waiting("yard", 1)])
    timer.start()
    assert names(latest.take(2, 5, patience=30)) == [("gate", 1), ("yard", 1)]
    timer.join()
    latest.put(waiting("gate", 1))
    assert names(latest.take(2, 5, patience=0.01)) == [("gate", 1)]


def test_nothing_comes_of_nothing() -> None:
    assert LatestFrames().take(3, 0.01, patience=5) == []


def test_it_knows_the_waiting_cameras_and_counts_frames_dropped_elsewhere() -> None:
    latest = LatestFrames()
    latest.put(waiting("dock", 1))
    assert latest.cameras() == {"dock"}
    latest.put(waiting("dock", 2))
    latest.skip(["dock", "gate"])
    assert latest.skipped == 3
    assert latest.skips() == {"dock": 2, "gate": 1}
