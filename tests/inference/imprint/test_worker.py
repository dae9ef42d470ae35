"""The imprint worker on the embedded broker. One worker serves all tests: joining its group
takes seconds.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import numpy as np
import pytest

from cameras.models import Camera
from inference.imprint.worker import ImprintWorker
from inference.models import Deployment, Model, ModelVersion
from sightline.kafka import Record, topics
from sightline.messages import Detection, Frame, Prediction, Timing
from tests.inference.pictures import Image, blank, encode, picture
from tests.servers.waiting import wait_until
from tests.support import Reader, frame, own_topics, reading, send_frame

JPEG = encode(blank(640, 360))
BOX = (0.5, 0.5, 0.75, 0.75)


@pytest.fixture(scope="module")
def only_worker(embedded_address: str) -> Iterator[ImprintWorker]:
    with own_topics(embedded_address):
        worker = ImprintWorker()
        yield worker
        worker.close()
        worker.producer.flush(5)


@pytest.fixture
def worker(only_worker: ImprintWorker, db: None) -> ImprintWorker:
    """The worker, with one imprinted camera that a live and a shadow model see."""
    dock = Camera.objects.create(
        slug="dock", name="Dock", kind="demo", url="demo:conveyor", imprint=True
    )
    Camera.objects.create(slug="plain", name="Plain", kind="demo", url="demo:conveyor")
    for slug, role in (("qr", "live"), ("trial", "shadow")):
        version = ModelVersion.objects.create(
            model=Model.objects.create(slug=slug, name=slug), version="1", runtime="builtin-qr"
        )
        Deployment.objects.create(version=version, role=role).cameras.add(dock)
    wait_until(lambda: only_worker.joiners, 20, "the worker to join", beside=only_worker.step)
    return only_worker


@pytest.fixture(autouse=True)
def warm(worker: ImprintWorker, annotated: Reader) -> None:
    """Where a topic's end is must be known before what comes after it is read."""

    def drawn() -> bool:
        predict(worker, send(worker))
        worker.step()
        return any(changed(record).any() for record in annotated.read() if record.value != JPEG)

    wait_until(drawn, 20, "a first picture with boxes")


@pytest.fixture
def annotated(only_worker: ImprintWorker) -> Iterator[Reader]:
    with reading(topics.annotated("dock")) as reader:
        yield reader


_numbers = itertools.count(1)


def send(worker: ImprintWorker, jpeg: bytes = JPEG) -> Frame:
    sent = frame("dock", jpeg, seq=next(_numbers))
    send_frame(worker.producer, sent)
    return sent


def predict(worker: ImprintWorker, sent: Frame, model: str = "qr", *detections: Detection) -> None:
    now = time.time_ns()
    said = Prediction(
        "dock",
        model,
        "1",
        "live",
        sent.ref,
        detections or (Detection("qr", 0.9, BOX),),
        Timing(now, now, now),
    )
    worker.producer.send(topics.predictions("dock"), said.to_json(), key=said.key)


def imprinted(worker: ImprintWorker, annotated: Reader, sent: Frame) -> Record:
    """The annotated record of a frame, once it is there."""
    found: list[Record] = []

    def found_it() -> bool:
        found[:] = [
            record for record in annotated.read() if record.header_map["seq"] == b"%d" % sent.seq
        ]
        return bool(found)

    wait_until(found_it, 20, "the annotated frame", beside=worker.step)
    return found[0]


def changed(record: Record) -> Image:
    """Which pixels differ from the grey picture."""
    image = picture(record.value or b"").bgr()
    return np.asarray((np.abs(image.astype(int) - 120) > 25).any(axis=2), np.uint8)


def test_boxes_are_drawn_into_the_frame_that_they_belong_to(
    worker: ImprintWorker, annotated: Reader
) -> None:
    sent = send(worker)
    predict(worker, sent)

    record = imprinted(worker, annotated, sent)

    assert record.key == b"dock"
    assert sent.headers().items() <= record.header_map.items()
    assert record.timestamp == sent.captured_at // 1_000_000
    marks = changed(record)
    assert marks[178:183, 320:480].any(axis=0).all()
    assert marks[268:273, 320:480].any(axis=0).all()
    assert not marks[:100].any()
    assert not marks[190:260, 330:470].any()


def test_a_frame_that_no_model_predicted_on_passes_as_it_is(
    worker: ImprintWorker, annotated: Reader
) -> None:
    assert imprinted(worker, annotated, send(worker)).value == JPEG


def test_shadow_models_are_not_drawn(worker: ImprintWorker, annotated: Reader) -> None:
    sent = send(worker)
    predict(worker, sent, "trial")

    assert imprinted(worker, annotated, sent).value == JPEG


def test_a_broken_frame_and_a_broken_prediction_cost_nothing_else(
    worker: ImprintWorker, annotated: Reader
) -> None:
    failed = worker.failed
    broken = send(worker, b"\xff\xd8 cut off")
    worker.producer.send(topics.frames("dock"), b"", key="dock")
    worker.producer.send(topics.predictions("dock"), b'{"camera": "dock"}')
    worker.producer.send(topics.predictions("dock"), b"\xff")
    predict(worker, broken)
    sent = send(worker)
    predict(worker, sent)

    assert changed(imprinted(worker, annotated, sent)).any()
    wait_until(
        lambda: worker.failed == failed + 4, 20, "all failures to be counted", beside=worker.step
    )
    assert b"%d" % broken.seq not in {record.header_map["seq"] for record in annotated.read()}


def test_without_a_live_model_frames_pass_at_once(worker: ImprintWorker, annotated: Reader) -> None:
    Deployment.objects.all().delete()
    worker.reconcile_due = 0
    worker.step()

    assert imprinted(worker, annotated, send(worker)).value == JPEG


def test_only_imprinted_cameras_are_its_work(worker: ImprintWorker) -> None:
    assert worker.counters()["cameras"] == 1
    assert worker.joiners.keys() == {"dock"}


def test_switching_it_off_ends_it(worker: ImprintWorker) -> None:
    Camera.objects.update(imprint=False)
    worker.reconcile_due = 0
    wait_until(lambda: not worker.joiners, 20, "the cameras to be given back", beside=worker.step)

    assert worker.counters()["cameras"] == 0
    assert not worker.frames.subscribed
