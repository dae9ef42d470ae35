"""The newest states of all cameras, read from the status topic by who has no standing connection
to it.
"""

from __future__ import annotations

import contextlib
import time

from sightline.kafka import Consumer, KafkaUnavailable, topics
from sightline.messages import CameraStatus
from sightline.messages.json import MessageError

RECORDS_A_CAMERA = 8
MIN_RECORDS = 256
READ_SECONDS = 10.0


def latest_states(cameras: int) -> dict[str, CameraStatus]:
    """The newest status of each camera among the last records of the topic; enough of them are read
    for ``cameras`` cameras.

    KafkaUnavailable when the broker does not answer.
    """
    consumer = Consumer()
    topic = topics.status()
    try:
        low, high = consumer.range(topic)
        start = max(low, high - max(MIN_RECORDS, cameras * RECORDS_A_CAMERA))
        if start >= high:
            return {}
        consumer.watch(topic, offset=start)
        return _read(consumer, high)
    finally:
        consumer.close()


def _read(consumer: Consumer, high: int) -> dict[str, CameraStatus]:
    found: dict[str, CameraStatus] = {}
    deadline = time.monotonic() + READ_SECONDS
    while time.monotonic() < deadline:
        record = consumer.poll(0.5)
        if record is None:
            continue
        key = (record.key or b"").decode(errors="replace")
        if key.startswith("camera/"):
            found.pop(
                key.removeprefix("camera/"), None
            )  # a record without a value: the camera was deleted
            with contextlib.suppress(MessageError):
                status = CameraStatus.from_json(record.value)
                found[status.camera] = status
        if record.offset >= high - 1:
            return found
    raise KafkaUnavailable("Kafka stopped answering while the cameras' states were read.")
