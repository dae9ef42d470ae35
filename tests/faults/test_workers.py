"""Workers that are killed or hang, that share cameras, and that are replaced one after the
other.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pytest
import requests

from sightline.kafka import OFFSET_END, Record, topics
from sightline.messages import CameraStatus, Frame
from tests.faults.rig import Rig, last_for, since
from tests.faults.streams import Reports, Stream, Tail, longest_gap
from tests.faults.table import Row, Table
from tests.faults.watcher import Watcher
from tests.servers.ports import free_port
from tests.servers.process import Child
from tests.servers.proxy import FaultProxy
from tests.servers.tcp import MuteServer
from tests.servers.waiting import wait_until

CAMERA = "conveyor"
CAMERAS = (CAMERA, *(f"belt-{number}" for number in range(2, 7)))
KINDS = ("capture", "infer", "records", "imprint", "web", "jobs")
REPLACED_SECONDS = 20.0
HUNG_SECONDS = 30.0
GAP_SECONDS = 10.0
TWICE_SECONDS = 5.0
STALL_SECONDS = 2.0
PATIENCE = 90
RECORDS = 3000
PAUSED_SECONDS = 12.0
SILENT_SECONDS = 2.0


@pytest.fixture(scope="module")
def stream(rig: Rig, on_kafka: None) -> Iterator[Stream]:
    """A model of records at work."""
    with Stream(rig.stack, "work", "slow_model") as stream:
        stream.works({"id": -1})
        yield stream


@pytest.fixture(scope="module")
def cameras(rig: Rig, on_kafka: None) -> Iterator[tuple[str, ...]]:
    """Enough cameras that two workers share them; boxes are drawn into the first."""
    for number, slug in enumerate(CAMERAS[1:], start=2):
        rig.operator.add_camera(slug, "demo", f"demo:conveyor?line={number}", fps="4")
    rig.operator.change_camera(CAMERA, imprint="on")
    with rig.watching(*CAMERAS) as watcher:
        for slug in CAMERAS:
            watcher.wait_fresh(slug, 0.0)
    yield CAMERAS
    rig.operator.change_camera(CAMERA, imprint=None)
    rig.operator.delete_cameras(*CAMERAS[1:])


@dataclass(slots=True)
class Eyes:
    """What shows that each kind of worker works."""

    rig: Rig
    watcher: Watcher
    stream: Stream
    annotated: Tail
    reports: Reports

    def works_again(self, kind: str, began: float) -> float:
        """The moment (monotonic) of the first result of a kind of worker that was begun after
        `began`.
        """
        captured_after = time.time() - (time.monotonic() - began) + 0.5
        match kind:
            case "capture" | "web":
                return self.watcher.wait_fresh(CAMERA, began + 0.5, PATIENCE).at
            case "infer":
                return self._predicted(captured_after)
            case "imprint":
                return self.annotated.first(
                    lambda record: captured(record) > captured_after,
                    PATIENCE,
                    "a drawn picture",
                    began,
                )[0]
            case "records":
                return self._answered(began)
            case _:
                pid = self.rig.stack.pid("jobs")
                return self.reports.wait_for(
                    "jobs",
                    lambda status: status.pid == pid and status.counters["jobs"] > 0,
                    PATIENCE,
                    began,
                )[0]

    def _predicted(self, captured_after: float) -> float:
        def found() -> list[float]:
            messages = self.watcher.messages("predictions", model="qr", camera=CAMERA)
            return [
                told.at for told in messages if told["frame"]["captured_at"] / 1e9 > captured_after
            ]

        return wait_until(found, PATIENCE, "a prediction")[0]

    def _answered(self, began: float) -> float:
        name = f"again-{began}"
        self.stream.send({"id": name})
        return self.stream.outputs.first(
            lambda record: name.encode() in (record.value or b""), PATIENCE, "an answer", began
        )[0]


def captured(record: Record) -> float:
    """When the picture was taken, in seconds since the epoch."""
    return int(record.header_map["captured_at"]) / 1e9


@pytest.fixture
def eyes(rig: Rig, stream: Stream, cameras: tuple[str, ...]) -> Iterator[Eyes]:
    with (
        rig.watching(*cameras) as watcher,
        Tail(topics.annotated(CAMERA), OFFSET_END) as annotated,
        Reports() as reports,
    ):
        watcher.wait_fresh(CAMERA, 0.0)
        watcher.wait_told("predictions", 0.0, PATIENCE, model="qr")
        wait_until(
            lambda: annotated.seen and reports.workers("jobs"),
            PATIENCE,
            "all kinds of workers to be at work",
        )
        yield Eyes(rig, watcher, stream, annotated, reports)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["kill-9", "sigstop"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_is_killed_or_hangs_is_replaced(
    rig: Rig, eyes: Eyes, table: Table, kind: str, number: signal.Signals
) -> None:
    old = rig.stack.pid(kind)
    began = time.monotonic()
    os.kill(old, number)
    with ExitStack() as ending:
        ending.callback(end, old)
        wait_until(lambda: rig.stack.pid(kind) != old, PATIENCE, f"{kind} to be started again")
        replaced = since(began)
        again = since(began, eyes.works_again(kind, began))
    gap = longest_gap([frame.at for frame in eyes.watcher.seen(CAMERA)], began, time.monotonic())
    bound = REPLACED_SECONDS if number == signal.SIGKILL else HUNG_SECONDS
    stopped = kind not in ("capture", "web") and gap > STALL_SECONDS
    table.add(
        Row(
            f"{kind}: {number.name}",
            f"Replaced in 20 s, at work again in {bound:g} s"
            + ("" if kind in ("capture", "web") else "; live video goes on"),
            detect_s=replaced,
            recover_s=again,
            bound_detect_s=REPLACED_SECONDS,
            bound_recover_s=bound,
            secrets=rig.secrets(),
            note=f"longest gap in the video {gap:.1f} s",
            missed=f"live video stopped for {gap:.1f} s" if stopped else "",
        )
    )


def end(pid: int) -> None:
    """A process that was stopped must not stay, whatever becomes of the test."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return


class Owners:
    """Who reads which camera, by the frames themselves: each worker counts its pictures from 0,
    so two of them are two rows of numbers.
    """

    def __init__(self, *cameras: str) -> None:
        self.tails = {camera: Tail(topics.frames(camera), OFFSET_END) for camera in cameras}

    def __enter__(self) -> Owners:
        for tail in self.tails.values():
            tail.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for tail in self.tails.values():
            tail.__exit__()

    def twice(self, camera: str, began: float) -> float:
        """For how many seconds two workers sent pictures of the camera after `began`."""
        rows: list[list[tuple[float, int]]] = []
        for at, record in list(self.tails[camera].seen):
            if at > began:
                seq = Frame.from_record(camera, record.value, record.header_map, record.offset).seq
                row = next(
                    (
                        row
                        for row in rows
                        if 0 < seq - row[-1][1] < 4 and at - row[-1][0] < SILENT_SECONDS
                    ),
                    None,
                )
                if row is None:
                    rows.append([(at, seq)])
                else:
                    row.append((at, seq))
        spans = sorted((row[0][0], row[-1][0]) for row in rows)
        return max(
            (min(first[1], second[1]) - second[0] for first, second in pairwise(spans)), default=0.0
        )

    def gap(self, camera: str, began: float) -> float:
        """The longest time without a picture of the camera, in Kafka, from `began` until now."""
        return longest_gap([at for at, _ in self.tails[camera].seen], began, time.monotonic())


def of_worker(watcher_reports: Tail, pid: int) -> set[str]:
    """The cameras that a capture worker reports of late."""
    late, found = time.monotonic() - 3, set()
    for at, record in list(watcher_reports.seen):
        if (
            at > late
            and record.key is not None
            and record.key.startswith(b"camera/")
            and record.value
        ):
            status = CameraStatus.from_json(record.value)
            if status.worker.endswith(f"-{pid}"):
                found.add(status.camera)
    return found


@contextmanager
def second_capture(rig: Rig, name: str) -> Iterator[tuple[Child, set[str]]]:
    """A second capture worker that has its share of the cameras, and which."""
    with (
        rig.stack.another(name, "runworkers", "capture") as worker,
        Tail(topics.status(), OFFSET_END) as reports,
    ):
        wait_until(
            lambda: len(of_worker(reports, worker.pid)) >= 2,
            PATIENCE,
            "the second worker to have cameras",
        )
        last_for(3)
        yield worker, of_worker(reports, worker.pid)


def test_a_killed_capture_workers_cameras_run_elsewhere(
    rig: Rig, cameras: tuple[str, ...], table: Table
) -> None:
    with (
        second_capture(rig, "capture-killed") as (worker, its),
        Owners(*cameras) as owners,
        rig.watching(*cameras) as watcher,
    ):
        watcher.wait_fresh(CAMERA, 0.0)
        began = time.monotonic()
        worker.kill()
        fresh = [watcher.wait_fresh(camera, began + 1, PATIENCE).at for camera in sorted(its)]
        last_for(2)
        twice = max(owners.twice(camera, began) for camera in cameras)
        others = max(owners.gap(camera, began) for camera in set(cameras) - its)
        told = [
            told.at
            for told in watcher.messages("status", began, state="unknown")
            if told["camera"] in its
        ]
    table.add(
        Row(
            "One of two capture workers: SIGKILL",
            "Its cameras run elsewhere in 20 s, never twice at once for more than 5 s; the others"
            " go on",
            detect_s=since(began, min(told)) if told else None,
            recover_s=since(began, max(fresh)),
            bound_recover_s=REPLACED_SECONDS,
            secrets=rig.secrets(),
            note=(
                f"{len(its)} of {len(cameras)} cameras moved; read twice for {twice:.1f} s; longest"
                f" gap of the others {others:.1f} s"
            ),
            missed=f"read twice for {twice:.1f} s" if twice > TWICE_SECONDS else "",
        )
    )


def test_a_capture_worker_that_was_away_does_not_read_its_cameras_twice(
    rig: Rig, cameras: tuple[str, ...], table: Table
) -> None:
    with (
        second_capture(rig, "capture-paused") as (worker, its),
        Owners(*cameras) as owners,
        rig.watching(*cameras) as watcher,
    ):
        watcher.wait_fresh(CAMERA, 0.0)
        began = time.monotonic()
        worker.pause()
        last_for(PAUSED_SECONDS)
        worker.resume()
        fresh = [watcher.wait_fresh(camera, began + 1, PATIENCE).at for camera in sorted(its)]
        last_for(8)
        twice = max(owners.twice(camera, began) for camera in cameras)
        worker.send_signal(signal.SIGTERM)
        worker.wait(20)
    table.add(
        Row(
            f"One of two capture workers: SIGSTOP for {PAUSED_SECONDS:g} s, then SIGCONT",
            "Its cameras run elsewhere in 20 s, never twice at once for more than 5 s",
            recover_s=since(began, max(fresh)),
            bound_recover_s=REPLACED_SECONDS,
            secrets=rig.secrets(),
            note=f"{len(its)} of {len(cameras)} cameras moved; read twice for {twice:.1f} s",
            missed=f"read twice for {twice:.1f} s" if twice > TWICE_SECONDS else "",
        )
    )


@pytest.mark.parametrize("delivery", ["every", "exactly-once"])
def test_a_records_worker_killed_in_the_middle_loses_nothing(
    rig: Rig, on_kafka: None, table: Table, delivery: str
) -> None:
    with Stream(
        rig.stack, f"killed-{delivery}", "slow_model", delivery=delivery, partitions=2
    ) as stream:
        stream.works({"id": "first"})
        for number in range(RECORDS):
            stream.send({"id": number, "seconds": 0.002}, partition=number % 2)
        stream.flush()
        wait_until(lambda: len(stream.outputs.seen) > RECORDS // 10, PATIENCE, "some answers")
        began = time.monotonic()
        os.kill(rig.stack.pid("records"), signal.SIGKILL)
        wait_until(
            lambda: len({record.value for record in stream.outputs.records}) == RECORDS + 1,
            PATIENCE,
            "all answers",
        )
        last_for(1)
        answers = Counter(record.value for record in stream.outputs.records)
        moments = [at for at, _ in stream.outputs.seen]
    gap = longest_gap(moments, began, moments[-1])
    twice = sum(answers.values()) - len(answers)
    table.add(
        Row(
            f"records worker: SIGKILL in the middle of {RECORDS:,} records ({delivery})",
            "Nothing is lost" + ("" if delivery == "every" else ", nothing comes twice"),
            recover_s=round(gap, 2),
            bound_recover_s=REPLACED_SECONDS,
            dropped=RECORDS + 1 - len(answers),
            secrets=rig.secrets(),
            note=f"{twice} answered twice",
            missed=f"{twice} came twice" if twice and delivery != "every" else "",
        )
    )


def rolled(start: Callable[[], Child], ready: Callable[[Child], object], old: Child) -> Child:
    """One step of a rolling update: a new process is started, and the old one asked to end once
    it is ready.
    """
    new = start().start()
    wait_until(lambda: ready(new), PATIENCE, "the new process to be ready")
    old.send_signal(signal.SIGTERM)
    assert old.wait(20) == 0
    old.stop()
    return new


@pytest.mark.parametrize("kind", ["capture", "infer"])
def test_a_rolling_update_of_workers_leaves_a_short_gap(
    rig: Rig, cameras: tuple[str, ...], table: Table, kind: str
) -> None:
    if kind == "infer":
        rig.operator.extend_deployment("qr", *cameras)
    names = iter(f"{kind}-{number}" for number in range(5))

    def start() -> Child:
        return rig.stack.another(next(names), "runworkers", kind)

    with Reports() as reports, rig.watching(*cameras) as watcher, ExitStack() as running:
        # One more camera that does not let go of who reads it: the others do not wait for it.
        mute = running.enter_context(MuteServer())
        rig.add_rtsp("mute", mute.port)
        running.callback(rig.operator.delete_camera, "mute")

        def has_work(worker: Child) -> bool:
            name = "cameras" if kind == "capture" else "predicted"
            return any(
                status.pid == worker.pid and status.counters.get(name, 0)
                for _, status in reports.workers(kind)
            )

        current = start().start()
        running.callback(lambda: current.stop())
        wait_until(lambda: has_work(current), PATIENCE, "the first of the workers to have work")
        last_for(3)
        began = time.monotonic()
        for _ in range(2):
            current = rolled(start, has_work, current)
            last_for(4)
        ended = time.monotonic()
        gaps = {
            camera: longest_gap(moments(watcher, kind, camera), began, ended) for camera in cameras
        }
        current.send_signal(signal.SIGTERM)
        current.wait(20)
    if kind == "infer":
        rig.operator.extend_deployment("qr", CAMERA)
    worst = max(gaps, key=gaps.__getitem__)
    table.add(
        Row(
            f"Rolling update of {kind}, two after the other",
            "A gap of 10 s at most for each camera",
            recover_s=round(gaps[worst], 2),
            bound_recover_s=GAP_SECONDS,
            secrets=rig.secrets(),
            note=(
                f"the longest gap of {len(cameras)} cameras, of {worst}; median"
                f" {sorted(gaps.values())[len(gaps) // 2]:.1f} s"
            ),
        )
    )


def moments(watcher: Watcher, kind: str, camera: str) -> list[float]:
    """When pictures or predictions of a camera came."""
    if kind == "capture":
        return [frame.at for frame in watcher.seen(camera)]
    return [told.at for told in watcher.messages("predictions", camera=camera, model="qr")]


def test_a_rolling_update_of_the_web_leaves_a_short_gap(
    rig: Rig, cameras: tuple[str, ...], table: Table
) -> None:
    ports = [free_port() for _ in range(3)]
    webs = [rig.stack.another(f"web-{port}", "runweb", PORT=str(port)) for port in ports]

    def is_ready(port: int) -> bool:
        try:
            return requests.get(f"http://localhost:{port}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    with FaultProxy(ports[0]) as service, ExitStack() as running:
        for web in webs:
            running.callback(web.stop)
        webs[0].start()
        wait_until(lambda: is_ready(ports[0]), PATIENCE, "the first web process to be ready")
        with Watcher(rig.operator, *cameras, port=service.port) as watcher:
            for camera in cameras:
                watcher.wait_fresh(camera, 0.0)
            began, took = time.monotonic(), []
            for old, web, port in zip(webs, webs[1:], ports[1:], strict=False):
                web.start()
                wait_until(partial(is_ready, port), PATIENCE, "the next web process to be ready")
                # What a Service does: new connections go to the new one.
                service.target = port
                asked = time.monotonic()
                old.send_signal(signal.SIGTERM)
                assert old.wait(20) == 0
                took.append(since(asked))
                last_for(4)
            gaps = [
                longest_gap([frame.at for frame in watcher.seen(camera)], began, time.monotonic())
                for camera in cameras
            ]
    table.add(
        Row(
            "Rolling update of web, two after the other",
            "A gap of 10 s at most for each camera",
            recover_s=round(max(gaps), 2),
            bound_recover_s=GAP_SECONDS,
            secrets=rig.secrets(),
            note=(
                f"each old process ended in {max(took):.1f} s; {len(watcher.connected_at)}"
                " connections of the viewer"
            ),
        )
    )
