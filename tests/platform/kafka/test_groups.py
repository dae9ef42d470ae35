"""Asking how far a group is while its broker settles. The real answers come from a real broker
in test_kafka_cluster.py; when they come is chance.
"""

from __future__ import annotations

from typing import cast

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from sightline.kafka.groups import committed_offsets


class Settling:
    """A consumer whose broker answers ``answers`` one after the other, and at last with an
    offset.
    """

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.asked = 0

    def committed(self, wanted: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        self.asked += 1
        if self.answers:
            raise KafkaException(KafkaError(self.answers.pop(0)))
        return [TopicPartition(place.topic, place.partition, 7) for place in wanted]


def ask(broker: Settling, timeout: float) -> list[TopicPartition]:
    return committed_offsets(
        cast(confluent_kafka.Consumer, broker), [TopicPartition("frames", 0)], timeout
    )


def test_a_broker_that_settles_is_asked_again() -> None:
    broker = Settling(
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    )

    assert [place.offset for place in ask(broker, timeout=60)] == [7]
    assert broker.asked == 4


def test_a_broker_that_does_not_settle_is_given_up() -> None:
    with pytest.raises(KafkaException) as caught:
        ask(Settling(*[KafkaError.NOT_COORDINATOR] * 1000), timeout=0.3)

    assert caught.value.args[0].code() == KafkaError.NOT_COORDINATOR


def test_a_refusal_is_not_asked_about_again() -> None:
    broker = Settling(KafkaError.GROUP_AUTHORIZATION_FAILED)

    with pytest.raises(KafkaException):
        ask(broker, timeout=60)

    assert broker.asked == 1
