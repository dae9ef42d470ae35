"""What the page says of Kafka and its topics, on a real embedded broker."""

from __future__ import annotations

import time

import pytest
from pytest_django import Settings

from sightline.kafka import (
    Admin,
    Cluster,
    GroupConsumer,
    KafkaUnavailable,
    PartitionState,
    Producer,
    topics,
)
from sightline.kafka.topics import Topic
from streaming import cluster as clusters
from streaming.system import report
from streaming.system.cluster import ClusterWatch, _partition_findings
from streaming.system.parts import Level
from streaming.system.report import PAGE, Chosen, _topics
from streaming.system.topic_rows import TopicRow, TopicSampler, _records_group
from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.streaming.conftest import Broker


@pytest.fixture
def sampler(kafka: Broker) -> TopicSampler:
    return TopicSampler()


def send(topic: Topic, count: int, size: int = 1000) -> None:
    producer = Producer()
    for number in range(count):
        producer.send(topic, b"x" * size, key=str(number))
    assert producer.flush(10) == 0


def row(sampler: TopicSampler, topic: Topic) -> TopicRow:
    sampler._due = 0.0
    return next(row for row in sampler.sample() if row.name == topic.name)


def test_a_topic_has_its_records_rate_and_size(sampler: TopicSampler) -> None:
    topic = topics.predictions("gate")
    send(topic, 10)
    first = row(sampler, topic)
    assert (first.records, first.rate, first.mean) == (10, None, None)

    started = time.monotonic()
    send(topic, 30)
    second = row(sampler, topic)
    assert second.records == 40
    assert second.rate is not None
    assert 0 < second.rate < 30 / (time.monotonic() - started) * 50

    assert sampler.measured([second])[0].mean is None, "asked for, and not waited for"
    sampler.measure()
    [measured] = sampler.measured([second])
    assert (measured.mean, measured.about) == (1000, 40_000)


def test_the_lag_of_record_streams_is_told(sampler: TopicSampler) -> None:
    inputs, group = topics.inputs("iris", "1"), topics.records_group("iris", "1")
    send(inputs, 12)
    assert [(lag.group, lag.records) for lag in row(sampler, inputs).lags] == [(group, 12)]

    member = GroupConsumer(group)
    wait_until(lambda: member.commit_offsets({(inputs.name, 0): 5}, wait=True))
    member.close()

    assert row(sampler, inputs).lags[0].records == 7
    assert Admin().lag(group, {inputs.name: 4}) == {
        (inputs.name, 0): 7,
        (inputs.name, 1): 0,
        (inputs.name, 2): 0,
        (inputs.name, 3): 0,
    }


def test_the_embedded_broker_says_what_it_is(kafka: Broker) -> None:
    send(topics.status(), 1)
    part = ClusterWatch().check()

    assert part.level is Level.NOTE
    assert dict(part.facts)["Address"] == kafka.address
    assert "KAFKA_BOOTSTRAP_SERVERS" in part.findings[0].text


def test_a_broker_that_is_away_is_asked_no_longer_than_it_may(
    kafka: Broker, settings: Settings
) -> None:
    settings.KAFKA_BOOTSTRAP_SERVERS = f"127.0.0.1:{free_port()}"
    started = time.monotonic()

    with pytest.raises(KafkaUnavailable, match="does not answer"):
        ClusterWatch().check()

    assert time.monotonic() - started < 5
    assert settings.KAFKA_BOOTSTRAP_SERVERS not in clusters._admins, "the next question begins anew"


def cluster(*states: PartitionState) -> Cluster:
    return Cluster(
        "c",
        1,
        {1: "b:9092"},
        {
            topics.frames("gate").name: list(states),
            "someone-elses": [PartitionState(0, -1, (1,), ())],
        },
    )


@pytest.mark.parametrize(
    ("state", "level", "words"),
    [
        (PartitionState(0, -1, (1, 2), (1, 2)), Level.BAD, "1 partition has no leader"),
        (PartitionState(0, 1, (1, 2), (1,)), Level.WARN, "1 partition has fewer copies"),
    ],
)
def test_partitions_in_trouble_are_counted(state: PartitionState, level: Level, words: str) -> None:
    [finding] = _partition_findings(cluster(state, PartitionState(1, 1, (1, 2), (2, 1))))

    assert finding.level is level
    assert finding.text.startswith(words)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> list[TopicRow]:
    monkeypatch.setattr(report.results, "submit", lambda *_: None)
    return [
        TopicRow(f"t.cameras.c{number:03}.frames", 1, number, float(number % 7))
        for number in range(60)
    ]


def test_topics_come_in_pages(many: list[TopicRow]) -> None:
    first, last = _topics(many, Chosen()), _topics(many, Chosen(page=99))

    assert (len(first["rows"]), first["count"], first["total"], first["pages"]) == (PAGE, 60, 60, 3)
    assert (last["page"], len(last["rows"])) == (3, 60 - 2 * PAGE)
    found = _topics(many, Chosen(text="C04", sort="records"))
    assert [row["records"] for row in found["rows"]] == [49, 48, 47, 46, 45, 44, 43, 42, 41, 40]
    assert (found["count"], found["total"]) == (10, 60)


def test_a_records_group_belongs_to_its_inputs_only(settings: Settings) -> None:
    assert _records_group(topics.inputs("iris", "1").name) == topics.records_group("iris", "1")
    for other in (
        topics.outputs("iris", "1").name,
        topics.frames("inputs").name,
        "x.models.iris.1.inputs",
        f"{settings.TOPIC_PREFIX}.models.iris.inputs",
    ):
        assert _records_group(other) == ""
