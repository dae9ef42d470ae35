"""SIGTERM to each kind of process while it works: it ends in 20 s, and nothing that was
acknowledged is lost.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sightline.kafka import OFFSET_END, topics
from sightline.messages import CameraStatus, ModelStatus, Prediction
from sightline.messages.json import MessageError
from tests.faults.rig import Rig, last_for, since
from tests.faults.streams import Reports, Stream, Tail
from tests.faults.table import Row, Table
from tests.servers.waiting import wait_until

CAMERA = "conveyor"
ENDS_SECONDS = 20.0
PATIENCE = 90
RECORDS = 3000
VIEWERS = 10
PROBED = tuple(f"probe-{number}" for number in range(6))


@pytest.fixture(autouse=True)
def at_work(rig: Rig, on_kafka: None) -> Iterator[None]:
    """The demo camera with its models, boxes drawn in, and viewers."""
    rig.operator.change_camera(CAMERA, imprint="on")
    with rig.watching(CAMERA) as watcher:
        watcher.wait_fresh(CAMERA, 0.0)
        watcher.wait_told("predictions", 0.0, PATIENCE, model="qr")
        yield


def asked_to_end(rig: Rig, kind: str) -> tuple[float, str]:
    """SIGTERM to a process of the stack: how long it took to end, and how its supervisor saw it
    end.
    """
    pid = rig.stack.pid(kind)
    asked = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), PATIENCE, f"{kind} to end")
    took = since(asked)
    wait_until(lambda: rig.stack.pid(kind) != pid, PATIENCE, f"{kind} to be started again")
    ends = re.findall(rf"process ended name={kind} (\S+)", rig.stack.log.read_text())
    return took, ends[-1]


def add(
    table: Table,
    rig: Rig,
    kind: str,
    ended: tuple[float, str],
    lost: int,
    note: str,
    missed: str = "",
) -> None:
    """The row of one kind; losses and an exit status other than 0 are missed."""
    wrong = [
        missed,
        f"{lost} lost" if lost else "",
        "" if ended[1] == "exit=0" else f"ended with {ended[1]}",
    ]
    table.add(
        Row(
            f"SIGTERM: {kind}",
            "Ends in 20 s, nothing lost that was acknowledged",
            recover_s=ended[0],
            bound_recover_s=ENDS_SECONDS,
            dropped=lost,
            secrets=rig.secrets(),
            note=note,
            missed="; ".join(word for word in wrong if word),
        )
    )


def test_capture_sends_what_it_has_taken(rig: Rig, table: Table) -> None:
    with (
        Tail(topics.frames(CAMERA), OFFSET_END) as frames,
        Tail(topics.status(), OFFSET_END) as states,
    ):
        wait_until(lambda: len(frames.seen) > 30, PATIENCE, "some pictures")
        ended = asked_to_end(rig, "capture")
        wait_until(
            lambda: any(seq == 0 for seq in numbers(frames)), PATIENCE, "the next worker's pictures"
        )
        seqs = numbers(frames)
        reported = [status.frames for status in statuses(states)]
    before = seqs[: seqs.index(0)]
    missing = len(set(range(before[0], before[-1] + 1)) - set(before))
    taken = max(reported)
    lost = missing + max(0, taken - 1 - before[-1])
    add(
        table,
        rig,
        "capture",
        ended,
        lost,
        (
            f"{len(before)} pictures without a gap in their numbers"
            if not missing
            else f"{missing} are missing"
        ),
    )


def numbers(frames: Tail) -> list[int]:
    """The numbers of the pictures, in Kafka's order."""
    return [int(record.header_map["seq"]) for record in frames.records]


def statuses(states: Tail) -> Iterator[CameraStatus]:
    """The camera's reports."""
    for record in states.records:
        if record.key == f"camera/{CAMERA}".encode() and record.value:
            yield CameraStatus.from_json(record.value)


def test_infer_sends_what_it_has_answered(rig: Rig, table: Table) -> None:
    # The first end makes sure that its successor's count and the topic begin at one moment.
    with (
        Tail(topics.predictions(CAMERA), OFFSET_END) as predictions,
        Tail(topics.status(), OFFSET_END) as states,
    ):
        first = time.time_ns()
        os.kill(rig.stack.pid("infer"), signal.SIGTERM)
        wait_until(
            lambda: any(status.predicted > 50 and status.at > first for status in models(states)),
            PATIENCE,
            "some answers",
            interval=0.2,
        )
        worker = models(states)[-1].worker
        ended = asked_to_end(rig, "infer")
        over = time.time_ns()
        last_for(1)
        answered = max(status.predicted for status in models(states) if status.worker == worker)
        found = [Prediction.from_json(record.value) for record in predictions.records]
        sent = sum(item.model == "qr" and first < item.timing.finished_at < over for item in found)
    add(
        table,
        rig,
        "infer",
        ended,
        max(0, answered - sent),
        f"{sent} predictions in Kafka, {answered} reported by the worker",
    )


def models(states: Tail) -> list[ModelStatus]:
    """The reports on the QR model."""
    found = []
    for record in states.records:
        if record.key == b"model/qr@1" and record.value:
            try:
                found.append(ModelStatus.from_json(record.value))
            except MessageError:
                continue
    return found


@pytest.mark.parametrize("delivery", ["every", "exactly-once"])
def test_records_are_answered_once(rig: Rig, table: Table, delivery: str) -> None:
    with Stream(
        rig.stack, f"ends-{delivery}", "slow_model", delivery=delivery, partitions=2
    ) as stream:
        stream.works({"id": "first"})
        for number in range(RECORDS):
            stream.send({"id": number, "seconds": 0.002}, partition=number % 2)
        stream.flush()
        wait_until(lambda: len(stream.outputs.seen) > RECORDS // 10, PATIENCE, "some answers")
        ended = asked_to_end(rig, "records")
        in_the_middle = len(stream.outputs.seen) < RECORDS
        wait_until(
            lambda: len({record.value for record in stream.outputs.records}) == RECORDS + 1,
            PATIENCE,
            "all answers",
        )
        last_for(1)
        answers = Counter(record.value for record in stream.outputs.records)
    twice = sum(answers.values()) - len(answers)
    missed = (
        f"{twice} answered twice" if twice else "" if in_the_middle else "it was not in the middle"
    )
    add(
        table,
        rig,
        f"records ({delivery})",
        ended,
        RECORDS + 1 - len(answers),
        f"{len(answers):,} of {RECORDS + 1:,} answered, {twice} twice",
        missed,
    )


def test_imprint_ends(rig: Rig, table: Table) -> None:
    with Tail(topics.annotated(CAMERA), OFFSET_END) as drawn:
        wait_until(lambda: len(drawn.seen) > 10, PATIENCE, "drawn pictures")
        ended = asked_to_end(rig, "imprint")
        moment = time.monotonic()
        again, _ = drawn.first(lambda _record: True, PATIENCE, "drawn pictures again", moment)
    add(
        table,
        rig,
        "imprint",
        ended,
        0,
        f"pictures again {since(moment, again):.1f} s after its end",
    )


@contextmanager
def streams(rig: Rig) -> Iterator[None]:
    """Viewers of the camera's MJPEG stream, who read now and then only."""
    with ExitStack() as open_streams:
        for _ in range(VIEWERS):
            reply = rig.operator.session.get(
                f"{rig.stack.url}/cameras/{CAMERA}/stream.mjpg", stream=True, timeout=20
            )
            open_streams.callback(reply.close)
            assert next(reply.iter_content(1024))
        yield


def test_the_web_ends_with_viewers_on_it(rig: Rig, table: Table) -> None:
    with streams(rig), rig.watching(CAMERA) as watcher:
        watcher.wait_fresh(CAMERA, 0.0)
        ended = asked_to_end(rig, "web")
        moment = time.monotonic()
        again = watcher.wait_fresh(CAMERA, moment, PATIENCE).at
    add(
        table,
        rig,
        "web",
        ended,
        0,
        f"{VIEWERS} streams and 2 sockets open; pictures again {since(moment, again):.1f} s after"
        " its end",
    )


def test_jobs_do_or_give_back_what_they_have_taken(rig: Rig, table: Table) -> None:
    with Reports() as reports:
        for number, slug in enumerate(PROBED, start=2):
            rig.operator.add_camera(slug, "demo", f"demo:conveyor?line={number}", fps="1")
        reports.wait_for("jobs", lambda status: status.counters["running"] > 0, PATIENCE)
        ended = asked_to_end(rig, "jobs")
        wait_until(lambda: not unprobed(rig), PATIENCE, "all cameras to be probed", interval=0.5)
    left = unprobed(rig)
    rig.operator.delete_cameras(*PROBED)
    add(table, rig, "jobs", ended, len(left), f"{len(PROBED)} probes queued, all done")


def unprobed(rig: Rig) -> list[str]:
    """The cameras without a probe's result."""
    pages = {
        slug: rig.operator.get(f"/admin/cameras/camera/{rig.operator.camera_pk(slug)}/change/").text
        for slug in PROBED
    }
    return [slug for slug, page in pages.items() if "1280×720" not in page]


def test_all_of_it_ends(table: Table, tmp_path: Path) -> None:
    """What Ctrl-C or a service manager does: `manage.py up` with all its processes."""
    with Rig(tmp_path) as rig:
        with rig.watching(CAMERA) as watcher:
            watcher.wait_fresh(CAMERA, 0.0)
        pids = rig.pids("web", "capture", "infer", "records", "imprint", "jobs").values()
        asked = time.monotonic()
        rig.stack.child.send_signal(signal.SIGTERM)
        status = rig.stack.child.wait(60)
        ended = since(asked), f"exit={status}"
        left = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        add(
            table,
            rig,
            "up, with all its processes",
            ended,
            0,
            "",
            f"{len(left)} processes are left" if left else "",
        )
