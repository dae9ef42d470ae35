from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from cameras.models import Camera
from inference.models import Model, ModelVersion
from sightline.kafka import Producer, topics
from sightline.kafka.topics import Topic

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> list[str]:
    output = io.StringIO()
    call_command("topics", *arguments, stdout=output)
    return output.getvalue().splitlines()


@pytest.mark.usefixtures("embedded")
def test_create_makes_what_is_missing_and_list_shows_it() -> None:
    Camera.objects.create(slug="dock", name="Dock", kind="demo", url="demo:conveyor", imprint=True)
    Camera.objects.create(slug="gate", name="Gate", kind="demo", url="demo:conveyor")
    ModelVersion.objects.create(
        model=Model.objects.create(slug="qr", name="QR"), version="1", runtime="builtin-qr"
    )
    wanted = [
        *topics.platform_topics(),
        *topics.camera_topics("dock", imprint=True),
        *topics.camera_topics("gate", imprint=False),
        topics.errors("qr", "1"),
        topics.model_history("qr", "1"),
    ]

    created = said("create")

    assert sorted(created) == sorted(topic.name for topic in wanted)
    assert said("create") == []
    listed = [line.split("\t") for line in said("list")]
    assert [name for name, _ in listed] == sorted(topic.name for topic in wanted)
    assert all(int(partitions) > 0 for _, partitions in listed)


@pytest.mark.usefixtures("embedded")
def test_list_leaves_out_what_is_not_ours(settings: Settings) -> None:
    producer = Producer()
    producer.send(Topic(f"{settings.TOPIC_PREFIX}x.stranger"), b"x")
    producer.flush(10)

    assert said("list") == []
    assert any(
        line.startswith(f"{settings.TOPIC_PREFIX}x.stranger\t") for line in said("list", "--all")
    )


def test_a_missing_broker_is_said_plainly(settings: Settings) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = ""

    with pytest.raises(
        CommandError, match=r"start `manage\.py up`, or set KAFKA_BOOTSTRAP_SERVERS"
    ):
        call_command("topics", "list")
