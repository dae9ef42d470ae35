from __future__ import annotations

import pytest
from pytest_django import Settings

from sightline.kafka import Admin, Producer, topics
from sightline.kafka.topics import Topic

DAY_MS = 24 * 3600 * 1000


@pytest.fixture(autouse=True)
def prefix(settings: Settings) -> None:
    settings.TOPIC_PREFIX = "plant.north"


def test_names_are_those_that_others_rely_on() -> None:
    assert topics.frames("dock-1").name == "plant.north.cameras.dock-1.frames"
    assert topics.predictions("dock-1").name == "plant.north.cameras.dock-1.predictions"
    assert topics.annotated("dock-1").name == "plant.north.cameras.dock-1.annotated"
    assert topics.errors("qr", "2-1").name == "plant.north.models.qr.2-1.errors"
    assert topics.camera_history("dock-1").name == "plant.north.cameras.dock-1.history"
    assert topics.model_history("qr", "2-1").name == "plant.north.models.qr.2-1.history"
    assert topics.status().name == "plant.north.status"
    assert topics.assignments().name == "plant.north.assignments"


def test_groups_are_named_by_what_they_do() -> None:
    assert topics.inference_group("qr", "1") == "plant.north.infer.qr.1"
    assert topics.capture_group() == "plant.north.capture"
    assert topics.imprint_group() == "plant.north.imprint"


def test_records_are_kept_as_long_as_promised(settings: Settings) -> None:
    settings.FRAMES_RETENTION = 90

    assert topics.frames("dock").config["retention.ms"] == "90000"
    assert topics.annotated("dock").config["retention.ms"] == "90000"
    assert topics.predictions("dock").config["retention.ms"] == str(DAY_MS)
    assert topics.errors("qr", "1").config["retention.ms"] == str(7 * DAY_MS)
    assert topics.status().config["cleanup.policy"] == "compact"


def test_short_retentions_roll_their_segments_in_time() -> None:
    config = topics.frames("dock").config

    assert int(config["segment.ms"]) <= int(config["retention.ms"]) // 4


def test_frames_may_be_as_large_as_the_settings_say(settings: Settings) -> None:
    settings.KAFKA_MAX_MESSAGE_BYTES = 1_000_000

    for topic in (topics.frames("dock"), topics.annotated("dock")):
        assert topic.config["max.message.bytes"] == "1000000"
    # A dead letter is the frame with headers that say why.
    assert topics.errors("qr", "1").config["max.message.bytes"] == str(
        1_000_000 + topics.HEADER_ROOM
    )


def test_cameras_have_one_partition_and_assignments_many(settings: Settings) -> None:
    settings.CAPTURE_PARTITIONS = 64

    assert topics.assignments().partitions == 64
    assert {topic.partitions for topic in topics.camera_topics("dock", imprint=True)} == {1}


def test_only_an_imprinted_camera_has_an_annotated_topic() -> None:
    assert topics.annotated("dock") in topics.camera_topics("dock", imprint=True)
    assert topics.annotated("dock") not in topics.camera_topics("dock", imprint=False)


def test_the_camera_is_in_the_topics_name() -> None:
    for topic in topics.camera_topics("dock-1", imprint=True):
        assert topics.camera_of(topic.name) == "dock-1"


@pytest.mark.parametrize(
    "name",
    [
        "plant.north.status",
        "plantxnorth.cameras.a.frames",
        "plant.north.cameras.a.b.frames",
        "plant.north.cameras.a.frames.x",
        "",
    ],
)
def test_other_topics_have_no_camera(name: str) -> None:
    with pytest.raises(ValueError, match="not a camera's topic"):
        topics.camera_of(name)


def test_each_camera_belongs_to_exactly_one_partition() -> None:
    cameras = {f"camera-{number}" for number in range(200)}
    shares = [topics.cameras_in(cameras, [partition], 16) for partition in range(16)]

    assert sum(len(share) for share in shares) == 200
    assert set().union(*shares) == cameras
    assert all(shares)
    assert topics.cameras_in(cameras, range(16), 16) == cameras
    assert topics.cameras_in(cameras, [], 16) == set()


def test_cameras_are_placed_where_kafkas_own_partitioner_puts_them(embedded: str) -> None:
    topic = Topic(f"{topics.assignments().name}.placement")
    Admin().ensure([topic])
    partitions = Admin().partitions()[topic.name]
    cameras = [f"camera-{number}" for number in range(40)]
    placed: list[int | None] = []
    producer = Producer()

    for camera in cameras:
        producer.client.produce(
            topic.name,
            b"{}",
            camera,
            on_delivery=lambda _error, message: placed.append(message.partition()),
        )
        producer.flush(10)

    assert partitions > 1
    assert placed == [topics.partition_of(camera, partitions) for camera in cameras]
