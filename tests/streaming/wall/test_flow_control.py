"""What a viewer may have on its way, by how promptly it acknowledges."""

from __future__ import annotations

import itertools

from streaming.wall.flow_control import (
    IN_TIME,
    LATE_SECONDS,
    MAX_PATIENCE_SECONDS,
    PATIENCE_SECONDS,
    FlowControl,
)

LATE = 1.5 * LATE_SECONDS


class Viewer:
    """Sends pictures one after the other to somebody who acknowledges each ``delay`` seconds
    after it was sent.
    """

    def __init__(self, *, sizes: int = 100) -> None:
        self.flow = FlowControl()
        self.now = 1000.0
        self.seq = 0
        self.sizes = sizes

    def sees(self, count: int, delay: float) -> int:
        """How many steps smaller the next picture will be."""
        for _ in range(count):
            self.seq += 1
            self.flow.went(self.seq, self.now, smaller=self.sizes - 1 - self.flow.steps)
            self.now += delay
            self.flow.acknowledge(self.seq, self.now)
        return self.flow.steps


def sent(*seqs: int, at: float = 100.0) -> FlowControl:
    flow = FlowControl()
    for seq in seqs:
        flow.went(seq, at, smaller=9)
        at += 0.1
    return flow


def test_two_pictures_may_be_on_their_way() -> None:
    flow = sent(1)
    assert flow.wait(100.1) == 0
    flow.went(2, 100.1, smaller=9)
    assert flow.wait(100.2) > 0
    flow.acknowledge(1, 100.3)
    assert flow.wait(100.3) == 0


def test_an_acknowledgement_covers_the_pictures_before_it() -> None:
    flow = sent(8, 3)  # the capture worker restarted its count
    flow.acknowledge(3, 100.2)
    flow.went(4, 100.3, smaller=9)
    assert flow.wait(100.3) == 0


def test_an_unknown_acknowledgement_changes_nothing() -> None:
    flow = sent(1, 2)
    flow.acknowledge(77, 100.2)
    assert flow.wait(100.2) > 0


def test_a_late_viewer_gets_one_picture_at_a_time_then_smaller_ones() -> None:
    viewer = Viewer()
    assert viewer.sees(1, LATE) == 0
    viewer.flow.went(100, viewer.now, smaller=9)
    assert viewer.flow.wait(viewer.now) > 0
    viewer.flow.acknowledge(100, viewer.now)
    assert [viewer.sees(1, LATE) for _ in range(3)] == [1, 2, 3]


def test_the_later_the_smaller() -> None:
    assert Viewer().sees(1, 3 * LATE_SECONDS) == 1
    assert Viewer().sees(1, 9 * LATE_SECONDS) == 3
    assert Viewer(sizes=3).sees(1, 60 * LATE_SECONDS) == 2


def test_pictures_that_were_under_way_when_it_changed_do_not_count_again() -> None:
    flow = sent(1, 2)
    flow.acknowledge(1, 105.0)
    level = flow.level
    flow.acknowledge(2, 105.1)
    assert flow.level == level > 0


def test_below_the_smallest_picture_nothing_is_left_to_take() -> None:
    viewer = Viewer(sizes=3)
    assert viewer.sees(50, LATE) == 2


def test_pictures_in_time_bring_back_what_was_asked_for() -> None:
    viewer = Viewer()
    assert viewer.sees(3, LATE) == 2
    assert viewer.sees(IN_TIME, 0.1) == 1
    assert viewer.sees(2 * IN_TIME, 0.1) == 0
    assert viewer.flow.level == 0


def test_what_failed_is_tried_less_and_less_often() -> None:
    """A line that carries one step less than what was asked for: the tries to get more become
    rare.
    """
    viewer = Viewer()
    tries = []
    for number in range(2000):
        before = viewer.flow.steps
        if viewer.sees(1, 0.1 if before else LATE) < before:
            tries.append(number)
    pauses = [later - sooner for sooner, later in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[-1] > 600


def test_who_never_acknowledges_is_tried_again_after_a_while_and_then_rarely() -> None:
    flow = sent(1, 2)
    now, pauses = 100.1, []
    for seq in range(3, 9):
        pause = flow.wait(now)
        pauses.append(pause)
        now += pause
        assert flow.wait(now) == 0
        flow.went(seq, now, smaller=9)
    assert [round(pause) for pause in pauses] == [
        PATIENCE_SECONDS,
        20,
        40,
        *[MAX_PATIENCE_SECONDS] * 3,
    ]
    flow.acknowledge(8, now)
    flow.went(9, now, smaller=9)
    assert flow.wait(now) == PATIENCE_SECONDS
