"""A real embedded broker, and pictures on it."""

from __future__ import annotations

import functools
import itertools
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from django.contrib.auth.models import User
from django.test import Client

from cameras.models import Camera as CameraRow
from sightline.kafka import Producer, topics
from sightline.messages import CameraState, CameraStatus, Detection, Frame, Prediction, Timing
from streaming.hub import hub as hub_module
from streaming.hub.hub import Hub
from tests.servers.ports import free_port, is_listening
from tests.servers.process import Child
from tests.streaming.site import Site
from tests.streaming.sockets import HOST, ORIGIN, Socket

SECOND_NS = 1_000_000_000


class Broker:
    """The embedded broker behind a port that stays."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "tests.streaming.broker", str(self.port)]
        self.child = Child(
            command, folder / "broker.log", env={"DJANGO_SETTINGS_MODULE": "sightline.settings"}
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.child.start()
        self.child.wait_until(lambda: is_listening(self.port), what="the broker to listen")

    def kill(self) -> None:
        self.child.kill()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.child.stop()


_prefixes = (f"test{os.getpid()}x{number}" for number in itertools.count())


@pytest.fixture
def kafka(broker: Broker, settings: object) -> Broker:
    """The broker with topics that no other test knows."""
    settings.KAFKA_BOOTSTRAP_SERVERS = broker.address  # type: ignore[attr-defined]
    settings.KAFKA_EMBEDDED = True  # type: ignore[attr-defined]
    settings.TOPIC_PREFIX = next(_prefixes)  # type: ignore[attr-defined]
    return broker


@pytest.fixture
def hub(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The process's hub, reading from the broker."""
    hub = Hub(linger=0.3)
    monkeypatch.setattr(hub_module, "_hub", hub)
    yield hub
    hub.stop()


_seqs = itertools.count(1)


class Camera:
    """What a capture worker and a model would send."""

    def __init__(self, slug: str, producer: Producer) -> None:
        self.slug = slug
        self.producer = producer
        self.size = (320, 180)

    def show(
        self,
        jpeg: bytes | None = None,
        *,
        width: int = 320,
        height: int = 180,
        captured_at: int = 0,
        annotated: bool = False,
    ) -> Frame:
        seq = next(_seqs)
        self.size = (width, height)
        frame = Frame(
            self.slug,
            seq,
            captured_at or time.time_ns(),
            width,
            height,
            jpeg or picture(width, height, seq),
        )
        topic = topics.annotated(self.slug) if annotated else topics.frames(self.slug)
        self.producer.send(
            topic,
            frame.jpeg,
            key=self.slug,
            headers=frame.headers(),
            timestamp=frame.captured_at // 1_000_000,
        )
        return frame

    def predict(self, frame: Frame, *detections: Detection, camera: str = "") -> Prediction:
        now = time.time_ns()
        prediction = Prediction(
            camera or self.slug, "qr", "1", "live", frame.ref, detections, Timing(now, now, now)
        )
        self.producer.send(topics.predictions(self.slug), prediction.to_json(), key=prediction.key)
        return prediction

    def report(
        self, state: CameraState = CameraState.LIVE, detail: str = "", cause: str = ""
    ) -> CameraStatus:
        now = time.time_ns()
        status = CameraStatus(
            self.slug,
            state,
            now,
            now,
            detail,
            fps=10.0,
            width=self.size[0],
            height=self.size[1],
            codec="demo",
            cause=cause,
        )
        self.producer.send(topics.status(), status.to_json(), key=status.key)
        return status


@pytest.fixture
def producer(kafka: Broker) -> Iterator[Producer]:
    producer = Producer()
    yield producer
    producer.flush(5)


@pytest.fixture
def new_camera(producer: Producer) -> Callable[[str], Camera]:
    return lambda slug: Camera(slug, producer)


@pytest.fixture
def gate(new_camera: Callable[[str], Camera]) -> Camera:
    """One camera that sends when told to."""
    return new_camera("gate")


class Rolling:
    """A camera that sends by itself, in a thread, until the end of the block."""

    def __init__(
        self,
        camera: Camera,
        fps: float = 20.0,
        *,
        jpeg: bytes | None = None,
        width: int = 320,
        annotated: bool = False,
    ) -> None:
        self.camera = camera
        self.interval = 1 / fps
        self.options = {
            "jpeg": jpeg,
            "width": width,
            "height": width * 9 // 16,
            "annotated": annotated,
        }
        self.sent: list[Frame] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self.stopping.wait(self.interval):
            self.sent.append(self.camera.show(**self.options))  # type: ignore[arg-type]
            del self.sent[:-500]
            if len(self.sent) % 10 == 1:
                self.camera.report()

    def __enter__(self) -> Rolling:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.thread.join()


def picture(width: int = 320, height: int = 180, seed: int = 0) -> bytes:
    """A small JPEG whose brightness tells ``seed``."""
    pixels = np.full((height, width, 3), seed * 37 % 256, dtype=np.uint8)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=80))


@functools.cache
def noise(size: int) -> bytes:
    """A JPEG of about ``size`` bytes, 1280 x 720."""
    random = np.random.default_rng(1)
    small = random.integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    best = min(
        range(5, 95, 5),
        key=lambda quality: abs(
            len(simplejpeg.encode_jpeg(small // 4, quality=quality, colorsubsampling="420")) - size
        ),
    )
    return bytes(simplejpeg.encode_jpeg(small // 4, quality=best, colorsubsampling="420"))


@pytest.fixture(scope="session")
def site(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A web server in a process of its own, on the same broker."""
    site = Site(tmp_path_factory.mktemp("site"), bootstrap=broker.address, prefix=next(_prefixes))
    site.prepare()
    site.start()
    yield site
    site.child.stop()


@pytest.fixture
def on_site(kafka: Broker, site: Site, settings: object) -> Site:
    """The site, with this process's cameras sending to it."""
    settings.TOPIC_PREFIX = site.environment["TOPIC_PREFIX"]  # type: ignore[attr-defined]
    return site


@pytest.fixture
def cameras(db: None) -> None:
    for slug in ("gate", "yard"):
        CameraRow.objects.create(slug=slug, name=slug.title(), kind="demo", url="demo:conveyor")


@pytest.fixture
def cookie(cameras: None) -> bytes:
    client = Client()
    client.force_login(User.objects.create_user("olga"))
    return f"sessionid={client.cookies['sessionid'].value}".encode()


@pytest.fixture
async def socket(hub: Hub, cookie: bytes) -> AsyncIterator[Socket]:
    socket = Socket(HOST, ORIGIN, (b"cookie", cookie))
    assert await socket.open()
    assert (await socket.next())["type"] == "hello"
    yield socket
    await socket.close()
