"""Model servers that are slow, broken, silent, gone or another one: the video goes on, and the
tile says why.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pytest

from sightline.kafka import Admin, topics
from tests.faults.rig import Rig, last_for, since
from tests.faults.streams import Reports, deployed, longest_gap
from tests.faults.table import Row, Table
from tests.faults.watcher import Watcher
from tests.inference.runtimes.servers.servers import (
    Answer,
    Asked,
    RestServer,
    as_json,
)
from tests.servers.proxy import FaultProxy

CAMERA = "conveyor"
MODEL = "remote"
DETECT_SECONDS = 5.0
RECOVER_SECONDS = 10.0
FAULT_SECONDS = 12.0
STALLED_SECONDS = 60.0
STALL_SECONDS = 2.0
STATUS = {
    "model_version_status": [
        {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
}
SEEN = {"classes": 1, "probabilities": [0.25, 0.75]}


class ModelServer:
    """Speaks TensorFlow Serving's REST, behind a network that can be broken. `trouble` answers
    in its stead.
    """

    def __init__(self) -> None:
        self.trouble: Callable[[Asked], Answer] | None = None
        self.mended = threading.Event()
        self.server = RestServer(self._answer)
        self.link = FaultProxy(self.server.port)

    def options(self, **more: object) -> dict[str, object]:
        """Of a model that decodes the pictures itself."""
        return {
            "address": f"http://{self.link.address}",
            "model": "net",
            "input": {"name": "image_bytes", "format": "jpeg"},
            "output": {"adapter": "seed", "labels": ["empty", "full"]},
            **more,
        }

    def _answer(self, asked: Asked) -> Answer:
        if self.trouble is not None:
            return self.trouble(asked)
        return (
            as_json(STATUS)
            if asked.method == "GET"
            else as_json({"predictions": [SEEN] * len(json.loads(asked.body)["instances"])})
        )

    def mend(self) -> None:
        """All is well again."""
        self.trouble = None
        self.link.forward()
        self.mended.set()
        self.mended = threading.Event()

    def slow(self, _asked: Asked) -> Answer:
        """30 s, unless it is mended before."""
        self.mended.wait(30)
        return as_json({"predictions": [SEEN]})


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault of a model server."""

    name: str
    begin: Callable[[ModelServer], None]
    says: str


def _answers(answer: Answer) -> Callable[[ModelServer], None]:
    def begin(server: ModelServer) -> None:
        server.trouble = lambda _asked: answer

    return begin


def _slow(server: ModelServer) -> None:
    server.trouble = server.slow


TROUBLES = [
    Trouble("30 s slow", _slow, "has not answered within 2 s"),
    Trouble("answers 500", _answers(as_json({"error": "out of memory"}, 500)), "out of memory"),
    Trouble(
        "hangs: takes the connection, says nothing",
        lambda server: server.link.black_hole(),
        "has not answered within 2 s",
    ),
    Trouble("answers garbage", _answers(Answer(b"\x00\x17 garbage")), "is not understood"),
    Trouble(
        "gone: its port is closed", lambda server: server.link.refuse(), "refuses the connection"
    ),
    Trouble(
        "swapped: another version is served",
        _answers(as_json({"error": "Servable not found for request: Specific(net, 1)"}, 404)),
        "has no model net",
    ),
    Trouble(
        "swapped: a model of another shape",
        _answers(as_json({"predictions": [[[1.0, 2.0], [3.0, 4.0]]]})),
        "has no output",
    ),
]


@pytest.fixture(scope="module")
def server(rig: Rig, on_kafka: None) -> Iterator[ModelServer]:
    """A model server whose model looks at the demo camera."""
    made = ModelServer()
    with (
        made.server,
        made.link,
        deployed(rig.stack, MODEL, "tfserving-rest", made.options(version="1"), CAMERA),
    ):
        yield made


@pytest.fixture
def watcher(rig: Rig, server: ModelServer) -> Iterator[Watcher]:
    """A viewer who has seen the model at work."""
    with rig.watching(CAMERA) as watcher:
        watcher.wait_fresh(CAMERA, 0.0)
        watcher.wait_told("predictions", 0.0, 60, model=MODEL)
        last_for(2)
        yield watcher


def video_gap(watcher: Watcher, began: float) -> float:
    """The longest time without a picture since then."""
    return longest_gap([frame.at for frame in watcher.seen(CAMERA)], began, time.monotonic())


def asked_meanwhile(server: ModelServer, before: tuple[int, int]) -> int:
    """How often it was asked, or connected to where it could not be asked."""
    return max(len(server.server.asked) - before[0], server.link.accepted - before[1])


@pytest.mark.parametrize(
    "trouble", TROUBLES, ids=lambda trouble: trouble.name.split(":")[-1].strip().replace(" ", "-")
)
def test_a_model_server_in_trouble_costs_its_predictions_only(
    rig: Rig, server: ModelServer, watcher: Watcher, table: Table, trouble: Trouble
) -> None:
    usual = watcher.rate(CAMERA, time.monotonic() - 2)
    with rig.memory("web", "infer") as memory:
        began, before = time.monotonic(), (len(server.server.asked), server.link.accepted)
        trouble.begin(server)
        told = watcher.wait_told("model", began, 30, model=MODEL, state="failing")
        last_for(FAULT_SECONDS - since(began))
        rate, gap, asked = (
            watcher.rate(CAMERA, began),
            video_gap(watcher, began),
            asked_meanwhile(server, before),
        )
        details = {
            message["detail"]
            for message in watcher.messages("model", began, model=MODEL, state="failing")
        }
        others = watcher.messages("predictions", time.monotonic() - 2, model="qr")
        mended = time.monotonic()
        server.mend()
        again = watcher.wait_told("predictions", mended, 60, model=MODEL)
        watcher.wait_told("model", mended, 60, model=MODEL, state="running")
    wrong = [
        *([f"the video stood still for {gap:.1f} s"] if gap > STALL_SECONDS else []),
        *([] if others else ["the other model stopped"]),
        *(
            []
            if any(trouble.says in str(detail) for detail in details)
            else [f"the tile says {details}"]
        ),
    ]
    table.add(
        Row(
            f"Model server: {trouble.name}",
            "The tile says why; live video and other models go on; after 5 failures it is asked now"
            " and then only",
            detect_s=since(began, told.at),
            recover_s=since(mended, again.at),
            bound_detect_s=DETECT_SECONDS,
            bound_recover_s=RECOVER_SECONDS,
            memory_mib=memory.most,
            secrets=rig.secrets(),
            note=(
                f"asked {asked} times in {FAULT_SECONDS:g} s; video {rate:.1f} fps, {usual:.1f}"
                f" before, longest gap {gap:.1f} s"
            ),
            missed="; ".join(wrong),
        )
    )


def stalled(rig: Rig, server: ModelServer, table: Table, seconds: float) -> None:
    """A model that does not answer for so long, under a deadline that lets it: it takes its
    place in the group all the same.
    """
    with (
        deployed(rig.stack, "stalled", "tfserving-rest", server.options(deadline=600), CAMERA),
        rig.watching(CAMERA) as watcher,
        Reports() as reports,
    ):
        watcher.wait_told("predictions", 0.0, 60, model="stalled")
        last_for(3)
        usual = watcher.rate(CAMERA, time.monotonic() - 3)
        members = group_members("stalled")
        server.link.black_hole()
        began = time.monotonic()
        with rig.memory("web", "infer") as memory:
            last_for(seconds)
        rate, gap, silence = (
            watcher.rate(CAMERA, began),
            video_gap(watcher, began),
            longest_silence(reports, began),
        )
        same = group_members("stalled") == members
        server.mend()
        mended = time.monotonic()
        again = watcher.wait_told("predictions", mended, 90, model="qr")
    wrong = [
        *([] if same else ["the group's members changed"]),
        *([f"the video stood still for {gap:.1f} s"] if gap > STALL_SECONDS else []),
    ]
    table.add(
        Row(
            f"A model stalled for {seconds:g} s (deadline 600 s)",
            "No rebalance; live video and other models go on",
            recover_s=since(mended, again.at),
            bound_recover_s=RECOVER_SECONDS,
            memory_mib=memory.most,
            secrets=rig.secrets(),
            note=(
                f"video {rate:.1f} fps, {usual:.1f} before; longest time without a report of the"
                f" worker {silence:.1f} s"
            ),
            missed="; ".join(wrong),
        )
    )


def group_members(model: str) -> set[str]:
    """The members of a model's group: a member that was thrown out comes back under another
    name.
    """
    admin, group = Admin(), topics.inference_group(model, "1")
    return {
        member.member_id
        for member in admin.client.describe_consumer_groups([group])[group].result(10).members
    }


def longest_silence(reports: Reports, began: float) -> float:
    """The longest time without a report of the infer worker since then."""
    moments = [began, *(at for at, _ in reports.workers("infer", began)), time.monotonic()]
    return max(later - sooner for sooner, later in pairwise(moments))


def test_a_stalled_model_keeps_its_place_in_the_group(
    rig: Rig, server: ModelServer, table: Table
) -> None:
    stalled(rig, server, table, STALLED_SECONDS)


@pytest.mark.soak
def test_a_model_stalled_for_ten_minutes_keeps_its_place_in_the_group(
    rig: Rig, server: ModelServer, table: Table
) -> None:
    stalled(rig, server, table, 600)
