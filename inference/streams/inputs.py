"""Reading the inputs of a model version: the partitions owned, and the records that wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from inference.streams.delivery import RecordDelivery
from sightline.kafka import GroupConsumer, Partition, Record
from sightline.kafka.topics import Topic

POLL_SECONDS: Final = 0.2
MAX_WAITING: Final = 2000
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024


class RecordInputs:
    """Reads a topic as a member of its group. For one thread, but for ``owned``."""

    def __init__(
        self,
        topic: Topic,
        consumer: GroupConsumer,
        delivery: RecordDelivery,
        stopping: threading.Event,
    ) -> None:
        self.topic = topic
        self.consumer = consumer
        self.delivery = delivery
        self.stopping = stopping
        self.owned: set[Partition] = set()
        self.waiting: list[Record] = []
        self._paused = False

    def subscribe(self) -> None:
        self.consumer.subscribe(
            [self.topic],
            on_assign=self.assign,
            on_revoke=partial(self._revoke, lost=False),
            on_lost=partial(self._revoke, lost=True),
        )

    def read(self, timeout: float) -> None:
        """Poll in any case, which keeps the membership of the group; take little while much
        waits.
        """
        waiting_bytes = sum(len(record.value or b"") for record in self.waiting)
        room = MAX_WAITING - len(self.waiting) if waiting_bytes < MAX_WAITING_BYTES else 1
        self._take(self.consumer.read(max(1, room), 0 if self.waiting else timeout))

    def rewind(self) -> None:
        """Read again from where the delivery rewinds to."""
        self.waiting = []
        for partition, offset in self.delivery.rewind().items():
            if partition in self.owned:
                self.consumer.seek(partition, offset)

    def pause(self, seconds: float) -> None:
        """Fetch nothing for a while; polling meanwhile keeps the partitions with this worker."""
        due = time.monotonic() + seconds
        self._paused = True
        self.consumer.pause(self.owned)
        while (left := due - time.monotonic()) > 0 and not self.stopping.is_set():
            self._take(self.consumer.read(1, min(left, POLL_SECONDS)))
        self._paused = False
        self.consumer.resume(self.owned)

    def _take(self, records: Sequence[Record]) -> None:
        first = {(record.topic, record.partition): record.offset for record in reversed(records)}
        if first.keys() - self.owned:
            records = [
                record for record in records if (record.topic, record.partition) in self.owned
            ]
        self.waiting += records
        for partition in first.keys() & self.owned:
            self.delivery.offsets.setdefault(partition, first[partition])

    # Called while the consumer polls

    def assign(self, partitions: Sequence[Partition]) -> None:
        self.owned.update(partitions)
        # A partition that was lost while it was paused comes back paused.
        (self.consumer.pause if self._paused else self.consumer.resume)(partitions)

    def _revoke(self, partitions: Sequence[Partition], *, lost: bool) -> None:
        self.delivery.revoke(partitions, lost=lost)
        gone = set(partitions)
        self.owned -= gone
        self.waiting = [
            record for record in self.waiting if (record.topic, record.partition) not in gone
        ]
