"""Tells the capture workers that a camera was added, changed or removed, so that they reconcile at
once instead of in their next round.
"""

from __future__ import annotations

from functools import cache

from sightline.kafka import Producer, topics

ANY_PARTITION = -1  # librdkafka hashes the key with CRC-32, as topics.partition_of does


@cache
def _producer() -> Producer:
    return Producer()


def announce(camera: str) -> None:
    """Notify the worker that reads the camera. If Kafka is away, workers find the change in the
    database two seconds later.
    """
    _producer().send(topics.assignments(), b"{}", key=camera, partition=ANY_PARTITION)
