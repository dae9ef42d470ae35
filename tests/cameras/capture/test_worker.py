"""The capture worker on the embedded broker. One worker serves all tests: joining its group
takes seconds.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from cameras.capture.worker import CaptureWorker
from cameras.models import Camera
from inference.runtimes.base import jpeg_size
from sightline.kafka import Record, topics
from sightline.messages import CameraState, Frame
from tests.cameras.capture.states import statuses, wait_for
from tests.inference.pictures import blank, encode
from tests.servers.login import Login
from tests.servers.mjpeg import MjpegServer
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support import Reader, own_topics, reading

JPEGS = [encode(blank(320, 180, gray)) for gray in (40, 120, 200)]
DEMO = "demo:conveyor?size=640x360"

Commit = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def only_worker(embedded_address: str) -> Iterator[CaptureWorker]:
    with own_topics(embedded_address):
        worker = CaptureWorker()
        worker.open()
        yield worker
        worker.close()
        worker.producer.flush(5)


@pytest.fixture
def worker(only_worker: CaptureWorker, db: None) -> CaptureWorker:
    wait_until(lambda: only_worker.assigned, 20, "the worker to join", beside=only_worker.step)
    return only_worker


@pytest.fixture
def status(only_worker: CaptureWorker) -> Iterator[Reader]:
    with reading(topics.status()) as reader:
        yield reader


_numbers = itertools.count()


@pytest.fixture
def commit(django_capture_on_commit_callbacks: Commit) -> Commit:
    """Announce the changes in the block, as at the end of a transaction."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def add(commit: Commit) -> Callable[..., Camera]:
    def add(kind: str, url: str, password: str = "", **fields: Any) -> Camera:
        camera = Camera(
            slug=f"camera-{next(_numbers)}", name="A camera", kind=kind, url=url, **fields
        )
        camera.password = password
        with commit():
            camera.save()
        return camera

    return add


def frame_of(record: Record, camera: Camera) -> Frame:
    return Frame.from_record(camera.slug, record.value, record.header_map, record.offset)


def test_a_demo_cameras_frames_arrive(worker: CaptureWorker, add: Callable[..., Camera]) -> None:
    before = time.time_ns()
    camera = add("demo", DEMO, fps=20)

    with reading(topics.frames(camera.slug)) as reader:
        records = reader.wait(5, beside=worker.step)[:5]

    frames = [frame_of(record, camera) for record in records]
    assert [frame.seq for frame in frames] == [0, 1, 2, 3, 4]
    assert before < frames[0].captured_at < frames[-1].captured_at < time.time_ns()
    for record, frame in zip(records, frames, strict=True):
        assert record.key == camera.slug.encode()
        assert record.timestamp == frame.captured_at // 1_000_000
        assert jpeg_size(frame.jpeg) == (frame.width, frame.height) == (640, 360)


def test_an_mjpeg_cameras_frames_are_passed_on_untouched(
    worker: CaptureWorker, add: Callable[..., Camera]
) -> None:
    with MjpegServer(JPEGS, fps=20) as server:
        camera = add("mjpeg", server.url, fps=60)
        with reading(topics.frames(camera.slug)) as reader:
            frames = [frame_of(record, camera) for record in reader.wait(6, beside=worker.step)]

    assert {frame.jpeg for frame in frames} == set(JPEGS)
    assert {(frame.width, frame.height) for frame in frames} == {(320, 180)}


def test_the_frame_rate_is_capped(worker: CaptureWorker, add: Callable[..., Camera]) -> None:
    with MjpegServer(JPEGS, fps=40) as server:
        camera = add("mjpeg", server.url, fps=10)
        with reading(topics.frames(camera.slug)) as reader:
            frames = [frame_of(record, camera) for record in reader.wait(11, beside=worker.step)][
                :11
            ]

    assert (frames[-1].captured_at - frames[0].captured_at) / 1e9 == pytest.approx(1.0, abs=0.3)


def test_states_are_published(
    worker: CaptureWorker, add: Callable[..., Camera], status: Reader
) -> None:
    camera = add("demo", DEMO, fps=20)

    live = wait_for(status, camera.slug, CameraState.LIVE, worker.step)
    wait_until(lambda: statuses(status, camera.slug)[-1].frames >= 20, 20, beside=worker.step)
    later = statuses(status, camera.slug)[-1]

    assert (live.detail, live.codec, live.width, live.height, live.worker) == (
        "",
        "demo",
        640,
        360,
        worker.name,
    )
    assert later.since == live.since
    assert later.at > live.at
    assert later.fps == pytest.approx(20, rel=0.5)


def test_a_change_takes_effect(
    worker: CaptureWorker, add: Callable[..., Camera], commit: Commit
) -> None:
    camera = add("demo", DEMO, fps=20)
    with reading(topics.frames(camera.slug)) as reader:
        reader.wait(1, beside=worker.step)
        camera.max_width = 320
        with commit():
            camera.save()
        wait_until(
            lambda: frame_of(reader.read()[-1], camera).width == 320,
            5,
            "narrower frames",
            beside=worker.step,
        )


def test_a_disabled_camera_ends_and_says_so(
    worker: CaptureWorker, add: Callable[..., Camera], commit: Commit, status: Reader
) -> None:
    camera = add("demo", DEMO)
    wait_for(status, camera.slug, CameraState.LIVE, worker.step)

    camera.enabled = False
    with commit():
        camera.save()

    said = wait_for(status, camera.slug, CameraState.DISABLED, worker.step)
    assert said.detail == "This camera is switched off in its settings."
    assert camera.slug not in worker.readers

    camera.enabled = True
    with commit():
        camera.save()
    wait_for(status, camera.slug, CameraState.LIVE, worker.step)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_deleted_camera_is_forgotten(
    worker: CaptureWorker, add: Callable[..., Camera], commit: Commit, status: Reader, enabled: bool
) -> None:
    camera = add("demo", DEMO, enabled=enabled)
    slug = camera.slug
    wait_for(status, slug, CameraState.LIVE if enabled else CameraState.DISABLED, worker.step)

    with commit():
        camera.delete()

    def last_word() -> bytes | None:
        return [
            record.value for record in status.read() if record.key == f"camera/{slug}".encode()
        ][-1]

    wait_until(lambda: last_word() is None, 20, "its status to be deleted", beside=worker.step)
    assert slug not in worker.readers
    assert slug not in worker.disabled


def test_corrupt_frames_degrade_the_camera(
    worker: CaptureWorker, add: Callable[..., Camera], status: Reader
) -> None:
    with MjpegServer(JPEGS, fps=30) as server:
        server.faults.corrupt_every = 3
        camera = add("mjpeg", server.url, fps=60)
        said = wait_for(
            status, camera.slug, CameraState.DEGRADED, worker.step, "pictures were lost"
        )
        with reading(topics.frames(camera.slug)) as reader:
            frames = [frame_of(record, camera) for record in reader.wait(6, beside=worker.step)]

    assert said.dropped > 0
    assert {frame.jpeg for frame in frames} <= set(JPEGS)
    gaps = [later.seq - earlier.seq for earlier, later in itertools.pairwise(frames)]
    assert set(gaps) == {1, 2}


def test_an_unreachable_camera_says_why_and_recovers(
    worker: CaptureWorker, add: Callable[..., Camera], status: Reader
) -> None:
    server = MjpegServer(JPEGS)
    camera = add("mjpeg", server.url)
    wait_for(
        status,
        camera.slug,
        CameraState.UNREACHABLE,
        worker.step,
        f"refuses connections on port {server.port}",
    )

    with server:
        wait_for(status, camera.slug, CameraState.LIVE, worker.step)


def test_a_wrong_password_is_told_apart(
    worker: CaptureWorker, add: Callable[..., Camera], status: Reader
) -> None:
    with MjpegServer(JPEGS, login=Login("operator", "right")) as server:
        camera = add("mjpeg", server.url, "wr0ng", username="operator")
        said = wait_for(status, camera.slug, CameraState.AUTH_FAILED, worker.step)

    assert said.detail == "The camera refuses the user name or password."
    assert not any(b"wr0ng" in (record.value or b"") for record in status.records)


def test_a_password_that_cannot_be_read_harms_its_camera_only(
    worker: CaptureWorker, add: Callable[..., Camera], status: Reader, settings: Settings
) -> None:
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    locked = Camera(
        slug="locked",
        name="Locked",
        kind="mjpeg",
        url=f"http://127.0.0.1:{free_port()}/",
        username="operator",
    )
    locked.password = "s3cret"
    locked.save()
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    other = add("demo", DEMO)

    wait_for(status, other.slug, CameraState.LIVE, worker.step)
    wait_for(status, "locked", CameraState.AUTH_FAILED, worker.step, "Enter it again")


def test_no_camera_is_opened_where_none_should_be(
    worker: CaptureWorker, add: Callable[..., Camera], status: Reader, settings: Settings
) -> None:
    settings.CAMERA_ALLOWED_NETWORKS = []
    with MjpegServer(JPEGS) as server:
        camera = add("mjpeg", server.url)
        wait_for(status, camera.slug, CameraState.UNREACHABLE, worker.step, "this machine itself")

        assert server.connections == 0


def test_a_kind_that_is_no_longer_allowed_is_not_opened(
    worker: CaptureWorker, add: Callable[..., Camera], status: Reader
) -> None:
    camera = add("file", "/videos/dock.mp4")

    wait_for(status, camera.slug, CameraState.DISABLED, worker.step, "kind")


def test_its_counters_add_up(worker: CaptureWorker, add: Callable[..., Camera]) -> None:
    camera = add("demo", DEMO, fps=20)
    wait_until(
        lambda: worker.readers.keys() == {camera.slug} and worker.counters()["frames"] > 3,
        20,
        beside=worker.step,
    )

    assert worker.counters()["cameras"] == 1
    assert worker.counters()["frames_dropped"] == 0
