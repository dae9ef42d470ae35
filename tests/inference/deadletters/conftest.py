"""A model with two versions, its dead letters on the embedded broker, and people with and
without permissions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pytest_django import Settings

from cameras.models import Camera
from inference import runtimes
from inference.deadletters.letters import LetterSummary
from inference.deadletters.reader import newest
from inference.models import Model, ModelVersion
from inference.plans import ModelPlan
from inference.runner.dead_letter import dead_letter, send_dead_letter
from inference.runtimes.errors import InferenceError
from sightline.jobs.app import app
from sightline.kafka import Producer, Record, topics
from sightline.messages import Frame
from tests.inference.pictures import encode, noise
from tests.inference.stub import KIND, Mind, Stub

PICTURE = encode(noise())


class Graveyard:
    """Writes dead letters of a version, as workers do."""

    def __init__(self, version: ModelVersion) -> None:
        self.version = version
        self.producer = Producer()
        self.written = 0

    @property
    def model(self) -> str:
        """The model's slug."""
        return self.version.model.slug

    def record(
        self,
        value: bytes | None,
        err: Exception | None = None,
        *,
        key: bytes | None = b"flower-7",
        headers: tuple[tuple[str, bytes], ...] = (("trace", b"abc"),),
        attempt: int = 1,
        partition: int = 0,
    ) -> None:
        """A record from the version's inputs topic that failed."""
        topic = topics.inputs(self.model, self.version.version).name
        self.bury(
            Record(topic, partition, self.written, 1_700_000_000_000, key, value, headers),
            err,
            attempt,
        )

    def frame(
        self, camera: str = "dock", jpeg: bytes = PICTURE, err: Exception | None = None
    ) -> Frame:
        """A frame of a camera that failed."""
        frame = Frame(
            camera, self.written + 1, time.time_ns(), 640, 360, jpeg, offset=40 + self.written
        )
        headers = tuple(frame.headers().items())
        self.bury(
            Record(
                topics.frames(camera).name,
                0,
                frame.offset,
                frame.captured_at // 10**6,
                camera.encode(),
                jpeg,
                headers,
            ),
            err,
        )
        return frame

    def bury(self, record: Record, err: Exception | None = None, attempt: int = 1) -> None:
        """A dead letter, and wait until it is in Kafka."""
        err = err or InferenceError("The field 'sepal_length' is missing.", permanent=True)
        letter = dead_letter(
            record,
            err,
            group="own.records.iris.1",
            plan=ModelPlan.of_version(self.version),
            attempt=attempt,
        )
        assert send_dead_letter(self.producer, record, letter)
        assert self.producer.flush(5) == 0
        self.written += 1

    def letters(self) -> tuple[LetterSummary, ...]:
        """What is there, newest first."""
        return newest(topics.errors(self.model, self.version.version)).letters


@pytest.fixture(autouse=True)
def quick(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost nothing, jobs that are done at once, and a runtime that the tests
    decide about.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    monkeypatch.setitem(app.conf, "task_always_eager", True)
    monkeypatch.setitem(app.conf, "task_eager_propagates", True)
    monkeypatch.setitem(runtimes.RUNTIMES, "stub", KIND)
    monkeypatch.setattr(Stub, "minds", {"eye": Mind()})


@pytest.fixture
def iris(db: None) -> ModelVersion:
    """Version 1 of a model that takes records; there is a version 2, too."""
    model = Model.objects.create(slug="iris", name="Iris")
    schema = {
        "type": "object",
        "required": ["sepal_length"],
        "properties": {"sepal_length": {"type": "number"}},
    }
    ModelVersion.objects.create(
        model=model, version="2", runtime="stub", options={"name": "eye"}, input_schema=schema
    )
    return ModelVersion.objects.create(
        model=model, version="1", runtime="stub", options={"name": "eye"}
    )


@pytest.fixture
def second(iris: ModelVersion) -> ModelVersion:
    """Version 2 of the same model."""
    return ModelVersion.objects.get(model=iris.model, version="2")


@pytest.fixture
def dock(db: None) -> Camera:
    """A camera."""
    return Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor")


@pytest.fixture
def graveyard(embedded: str, iris: ModelVersion) -> Iterator[Graveyard]:
    """Dead letters of version 1."""
    yard = Graveyard(iris)
    yield yard
    yard.producer.flush(1)


@pytest.fixture
def pages(iris: ModelVersion) -> str:
    """The address of the list of version 1's dead letters."""
    return f"/admin/inference/model/{iris.model.pk}/deadletters/1/"


@pytest.fixture
def viewer(db: None) -> Client:
    """A member of staff who may look at models but not change them."""
    user = User.objects.create_user("viewer", password="viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_model"))
    client = Client()
    client.force_login(user)
    return client
