from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import serializers

from cameras.models import Camera
from cameras.signals import queue_probe
from sightline.kafka import Admin, Record, topics
from tests.servers.waiting import wait_until
from tests.support import Reader

pytestmark = pytest.mark.django_db
Commit = Callable[..., AbstractContextManager[Any]]


@pytest.fixture
def queue() -> Path:
    """The folder that holds queued tasks, emptied."""
    folder = settings.CELERY_QUEUE_DIR / "queue"
    for file in folder.glob("*.msg"):
        file.unlink()
    return folder


@pytest.fixture
def no_queue(queue: Path) -> Iterator[None]:
    """The queue is down: its folder is gone."""
    away = queue.with_name("away")
    queue.rename(away)
    yield
    away.rename(queue)


def camera(**fields: Any) -> Camera:
    return Camera(slug="dock", name="Dock", kind="demo", url="demo:conveyor", **fields)


def announced() -> list[Record]:
    """All announcements, on any partition."""
    topic = topics.assignments()
    readers = [Reader(topic) for _ in range(Admin().partitions()[topic.name])]
    for partition, reader in enumerate(readers):
        reader.consumer.unwatch(topic)
        reader.consumer.watch(topic, partition, 0)

    def read() -> list[Record]:
        return [record for reader in readers for record in reader.read()]

    records = wait_until(read)
    for reader in readers:
        reader.close()
    return records


def test_workers_are_told_once_the_change_is_in_the_database(
    embedded: str, queue: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    Admin().ensure([topics.assignments()])
    with django_capture_on_commit_callbacks(execute=True):
        camera().save()

    record = announced()[0]
    assert record.key == b"dock"
    assert record.partition == topics.partition_of(
        "dock", Admin().partitions()[topics.assignments().name]
    )


def test_a_saved_camera_is_queued_for_its_probe(
    queue: Path, django_capture_on_commit_callbacks: Commit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        camera().save()

    messages = [file.read_text() for file in queue.glob("*.msg")]
    assert len(messages) == 1
    assert "cameras.tasks.probe_camera" in messages[0]


@pytest.mark.usefixtures("no_queue")
def test_neither_kafka_nor_the_queue_keeps_a_camera_from_being_saved(
    django_capture_on_commit_callbacks: Commit, caplog: pytest.LogCaptureFixture
) -> None:
    assert not settings.KAFKA_BOOTSTRAP_SERVERS
    with django_capture_on_commit_callbacks(execute=True):
        camera().save()
    assert "the task queue does not answer camera=dock" in caplog.text

    with django_capture_on_commit_callbacks(execute=True):
        Camera.objects.get().delete()
    assert not Camera.objects.exists()


def test_a_disabled_camera_is_not_queued(queue: Path) -> None:
    assert queue_probe(camera(enabled=False)) is False
    assert list(queue.iterdir()) == []


def test_fixtures_of_data_are_loaded_in_silence(django_capture_on_commit_callbacks: Commit) -> None:
    Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor")
    dump = serializers.serialize("json", Camera.objects.all())

    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        for item in serializers.deserialize("json", dump):
            item.save()

    assert callbacks == []
