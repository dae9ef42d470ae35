"""The newest states of all cameras, read once from the status topic."""

from __future__ import annotations

from collections.abc import Collection

from sightline.kafka import Record, topics
from sightline.kafka.reader import TopicReader
from sightline.messages import CameraStatus
from sightline.messages.json import MessageError

MIN_RECORDS = 256
# In the first piece that is read; then pieces grow until all cameras are found.
RECORDS_A_CAMERA = 2
GROWTH = 2
MAX_RECORDS_A_CAMERA = 16


def latest_states(slugs: Collection[str]) -> dict[str, CameraStatus]:
    """The newest status of each camera that the end of the topic has one of, looked for until
    those of ``slugs`` are found or 16 records for each were read. Raises KafkaUnavailable if the
    broker does not answer.
    """
    found: dict[str, CameraStatus] = {}
    seen: set[str] = set()
    size = max(MIN_RECORDS, len(slugs) * RECORDS_A_CAMERA)
    left = max(MIN_RECORDS, len(slugs) * MAX_RECORDS_A_CAMERA)
    with TopicReader(topics.status()) as reader:
        for _, records in reader.backwards(size=size, growth=GROWTH):
            piece = list(records)
            for record in reversed(piece):
                _take(record, seen, found)
            left -= len(piece)
            if left <= 0 or seen.issuperset(slugs):
                break
    return found


def _take(record: Record, seen: set[str], found: dict[str, CameraStatus]) -> None:
    """Note a record that is older than all of its camera that were seen."""
    key = (record.key or b"").decode(errors="replace")
    camera = key.removeprefix("camera/")
    if camera == key or camera in seen:
        return
    # A record without a value means that the camera was deleted.
    if record.value:
        try:
            status = CameraStatus.from_json(record.value)
        except MessageError:
            return  # the one before it may be readable
        if status.camera == camera:
            found[camera] = status
    seen.add(camera)
