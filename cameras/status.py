"""The newest states of all cameras, read once from the status topic."""

from __future__ import annotations

import contextlib

from sightline.kafka import topics
from sightline.kafka.reader import TopicReader
from sightline.messages import CameraStatus
from sightline.messages.json import MessageError

RECORDS_A_CAMERA = 8
MIN_RECORDS = 256


def latest_states(cameras: int) -> dict[str, CameraStatus]:
    """The newest status of each camera among the last records of the topic, as many as ``cameras``
    cameras need. Raises KafkaUnavailable if the broker does not answer.
    """
    found: dict[str, CameraStatus] = {}
    with TopicReader(topics.status()) as reader:
        records = reader.last(max(MIN_RECORDS, cameras * RECORDS_A_CAMERA))
    for record in records:
        key = (record.key or b"").decode(errors="replace")
        if key.startswith("camera/"):
            # A record without a value means that the camera was deleted.
            found.pop(key.removeprefix("camera/"), None)
            with contextlib.suppress(MessageError):
                status = CameraStatus.from_json(record.value)
                found[status.camera] = status
    return found
