"""Reading, as a member of a group or from chosen partitions."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from django.conf import settings

from sightline.base.backoff import Backoff
from sightline.kafka.connection import (
    NO_SUCH_TOPIC,
    OFFSET_END,
    OFFSET_NEWEST,
    Health,
    KafkaUnavailable,
    NoSuchTopic,
    OnPartitions,
    Partition,
    Record,
    connection,
    made,
    next_offsets,
)
from sightline.kafka.groups import committed_offsets
from sightline.kafka.stall_detector import StallDetector
from sightline.kafka.topics import Topic

log = logging.getLogger(__name__)

# The embedded broker forgets who asked to join when it stood still for a session: the question,
# which waits for so long and 3 s, is asked anew then. Its leader epochs are always 0, so that
# nothing is to be learned from them.
EMBEDDED: Final = {"max.poll.interval.ms": 10_000}
BEREFT_SECONDS: Final = 3.0
MAX_BEREFT_SECONDS: Final = 600.0


class Consumer:
    """Reads records: either as a member of a group (``subscribe``) or of chosen partitions
    (``watch``). For one thread.

    ``ended``: partitions that were read to their end, when made with ``enable.partition.eof``.
    One that is kept must be polled, or closed.
    """

    def __init__(self, group: str = "", **overrides: Any) -> None:
        self.group = group
        self.overrides = overrides
        self.health = Health()
        self.ended: set[Partition] = set()
        self._subscription: Callable[[], None] | None = None
        self._watched: dict[Partition, int] = {}
        self._leaders = StallDetector()
        self._renewing = False
        self._bereft = False
        self._join_anew_at = math.inf
        self._join_anew = Backoff(BEREFT_SECONDS, MAX_BEREFT_SECONDS)
        self._client: confluent_kafka.Consumer | None = None

    @property
    def client(self) -> confluent_kafka.Consumer:
        """The connection, made on first use."""
        if self._client is None:
            self._client = made(confluent_kafka.Consumer, self._configuration())
        return self._client

    def _configuration(self) -> dict[str, Any]:
        return {
            **connection(self.health),
            "group.id": self.group or f"{settings.TOPIC_PREFIX}.viewer",
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1500,
            "queued.max.messages.kbytes": 16 * 1024,
            "fetch.message.max.bytes": settings.KAFKA_MAX_MESSAGE_BYTES,
            # The embedded broker always waits this long when one partition is empty; a real one
            # answers with the first record.
            "fetch.wait.max.ms": 5 if settings.KAFKA_EMBEDDED else 100,
            "allow.auto.create.topics": settings.KAFKA_EMBEDDED,
            **(EMBEDDED if settings.KAFKA_EMBEDDED else self._leaders.configuration),
            **self.overrides,
        }

    @property
    def subscribed(self) -> bool:
        """Whether ``subscribe`` was called."""
        return self._subscription is not None

    def subscribe(
        self,
        topics: Iterable[Topic],
        *,
        offset: int | None = None,
        on_assign: OnPartitions | None = None,
        on_revoke: OnPartitions | None = None,
        on_lost: OnPartitions | None = None,
    ) -> None:
        """Share ``topics`` with the group; leave it when there are none. ``offset``: where to begin
        in each new partition, instead of where it was.

        ``on_lost``: the group went on without us, or cannot be reached; without it,
        ``on_revoke`` is told.
        """

        def assigned(client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            if offset is not None:
                for partition in partitions:
                    partition.offset = offset
            client.incremental_assign(partitions)
            self._note_share(bool(partitions))
            _tell(on_assign, partitions)

        def revoked(client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            self._bereft = self._bereft or (self._renewing and bool(partitions))
            _tell((on_lost or on_revoke) if self._renewing else on_revoke, partitions)
            client.incremental_unassign(partitions)

        def lost(_client: confluent_kafka.Consumer, partitions: list[TopicPartition]) -> None:
            self._bereft = self._bereft or bool(partitions)
            _tell(on_lost or on_revoke, partitions)

        names = [topic.name for topic in topics]
        if not names:
            self.close()
            return
        self._subscription = lambda: self.client.subscribe(
            names, on_assign=assigned, on_revoke=revoked, on_lost=lost
        )
        self._subscription()

    def watch(self, topic: Topic, partition: int = 0, offset: int = OFFSET_NEWEST) -> None:
        """Begin to read a partition, outside any group, at ``offset``."""
        self.client.incremental_assign([TopicPartition(topic.name, partition, offset)])
        self._watched[topic.name, partition] = offset

    def unwatch(self, topic: Topic, partition: int = 0) -> None:
        """End reading a partition."""
        self._watched.pop((topic.name, partition), None)
        self.client.incremental_unassign([TopicPartition(topic.name, partition)])

    def poll(self, timeout: float) -> Record | None:
        """The next record, or None after ``timeout`` seconds. Errors of the connection are noted
        in ``health`` and waited out.
        """
        self._renew_where_needed()
        message = self.client.poll(timeout)
        return None if message is None else self._taken(message)

    def read(self, most: int, timeout: float) -> list[Record]:
        """Up to ``most`` records: those that are here already, or else the first to come within
        ``timeout`` seconds.
        """
        self._renew_where_needed()
        first = self.client.poll(timeout)
        if first is None:
            return []
        # consume() waits until it has all that it was asked for, so it is not given any time.
        messages = [first, *self.client.consume(most - 1, 0)] if most > 1 else [first]
        records = [_record(message) for message in messages if message.error() is None]
        if len(records) == len(messages) and self.health.reachable and not self.ended:
            return records
        return [record for message in messages if (record := self._taken(message)) is not None]

    def _taken(self, message: Any) -> Record | None:
        if (error := message.error()) is not None:
            self._note(error, message)
            return None
        if not self.health.reachable:
            self.health.on_success()
        record = _record(message)
        if self.ended:
            self.ended.discard((record.topic, record.partition))
        return record

    def _note(self, error: KafkaError, message: Any) -> None:
        if error.code() == KafkaError._PARTITION_EOF:
            self.ended.add((message.topic(), message.partition()))
        else:
            self.health.on_error(error)

    def commit(self, records: Iterable[Record]) -> None:
        """Store, without waiting, that the group is done with ``records``."""
        offsets = [
            TopicPartition(record.topic, record.partition, record.offset + 1) for record in records
        ]
        if offsets:
            self.client.commit(offsets=offsets, asynchronous=True)

    def commit_offsets(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> bool:
        """Store where the group goes on; with ``wait``, whether the broker has it. False, too,
        when the group went on without us.
        """
        if not offsets:
            return True
        try:
            self.client.commit(offsets=next_offsets(offsets), asynchronous=not wait)  # type: ignore[call-overload]
        except KafkaException as err:
            log.info("kafka offsets not stored group=%s reason=%s", self.group, err.args[0].str())
            return False
        return True

    def committed(self, topic: Topic, partition: int = 0, timeout: float = 5) -> int | None:
        """Where the group goes on; None when it has never said so, KafkaUnavailable when the
        broker does not answer.
        """
        try:
            found = committed_offsets(self.client, [TopicPartition(topic.name, partition)], timeout)
        except KafkaException as err:
            raise KafkaUnavailable(err.args[0].str()) from err
        return int(found[0].offset) if found[0].offset >= 0 else None

    def pause(self, partitions: Iterable[Partition]) -> None:
        """Fetch nothing of these partitions; ``poll`` goes on keeping the group."""
        self.client.pause([TopicPartition(*partition) for partition in partitions])

    def resume(self, partitions: Iterable[Partition]) -> None:
        """Fetch again after ``pause``."""
        self.client.resume([TopicPartition(*partition) for partition in partitions])

    def seek(self, partition: Partition, offset: int) -> bool:
        """Go on reading an assigned partition at ``offset``; whether that could be done."""
        try:
            self.client.seek(TopicPartition(*partition, offset))
        except KafkaException as err:
            log.info(
                "kafka seek failed topic=%s partition=%s reason=%s", *partition, err.args[0].str()
            )
            return False
        return True

    def offset_at(self, topic: Topic, partition: int, timestamp: int, timeout: float = 5) -> int:
        """The first offset whose record is not older than ``timestamp`` (ms since the epoch);
        OFFSET_END when there is none.
        """
        try:
            found = self.client.offsets_for_times(
                [TopicPartition(topic.name, partition, timestamp)], timeout=timeout
            )
        except KafkaException as err:
            raise KafkaUnavailable(err.args[0].str()) from err
        return int(found[0].offset)

    def range(self, topic: Topic, partition: int = 0, timeout: float = 5) -> tuple[int, int]:
        """The first offset there is and the one that comes next; KafkaUnavailable when the
        broker does not say, NoSuchTopic when there is none.
        """
        try:
            low, high = self.client.get_watermark_offsets(
                TopicPartition(topic.name, partition), timeout=timeout
            )
        except KafkaException as err:
            kind = NoSuchTopic if err.args[0].code() in NO_SUCH_TOPIC else KafkaUnavailable
            raise kind(err.args[0].str()) from err
        return low, high

    def answers(self, timeout: float = 1.0) -> bool:
        """Whether the broker answers within ``timeout`` seconds; noted in ``health``."""
        try:
            self.client.list_topics(timeout=timeout)
        except KafkaException as err:
            self.health.reachable = False
            self.health.detail = err.args[0].str()
            return False
        self.health.on_success()
        return True

    def lag(self) -> int:
        """How many records its partitions have beyond those read, by what the broker said with
        its last answers. For the thread that reads.
        """
        if self._client is None:
            return 0
        try:
            places = [
                (place.offset, self._client.get_watermark_offsets(place, cached=True)[1])
                for place in self._client.position(self._client.assignment())
            ]
        except KafkaException:
            return 0
        return sum(max(0, end - offset) for offset, end in places if offset >= 0)

    def close(self) -> None:
        """Leave the group, watch nothing any more."""
        self._subscription = None
        self._bereft, self._join_anew_at = False, math.inf
        self._watched.clear()
        self._disconnect()

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _note_share(self, some: bool) -> None:
        """Who had partitions, lost them all at once and got none back joins the group anew after
        some seconds, later and later.

        A broker that comes back empty lacks the topics at first. A member of librdkafka's that
        joins in that moment shares out nothing, and when the topics are made anew it finds what
        it had known before, so that to it nothing has changed.
        """
        if some:
            self._bereft, self._join_anew_at = False, math.inf
            self._join_anew.reset()
        elif self._bereft:
            self._join_anew_at = time.monotonic() + self._join_anew.next()

    def _renew_where_needed(self) -> None:
        """Go on with a new client where the old one stood; to the group's members it is as if
        the group had gone on without us.
        """
        if not self._leaders.lost and time.monotonic() < self._join_anew_at:
            return
        log.warning("kafka partitions were lost, reading with a new client group=%s", self.group)
        self._join_anew_at = math.inf
        starts = {
            partition: self._place(partition, start) for partition, start in self._watched.items()
        }
        self._let_go()
        self._leaders.renewed()
        if self._subscription is not None:
            self._subscription()
        for (topic, partition), offset in starts.items():
            self.watch(Topic(topic), partition, offset)

    def _let_go(self) -> None:
        """Give up the old client. Closing may wait for a broker that has gone again: only the
        members of a group, which are told of it, wait, too.
        """
        if self._subscription is None:
            old, self._client = self.client, None
            threading.Thread(target=old.close, name="kafka-close", daemon=True).start()
            return
        self._renewing = True
        try:
            self._disconnect()
        finally:
            self._renewing = False

    def _place(self, partition: Partition, start: int) -> int:
        """Where to go on in a watched partition: who began with what is new wants what is new."""
        at = int(self.client.position([TopicPartition(*partition)])[0].offset)
        return start if start in (OFFSET_END, OFFSET_NEWEST) or at < 0 else at


def _tell(listener: OnPartitions | None, partitions: Iterable[TopicPartition]) -> None:
    if listener is not None:
        listener([(item.topic, item.partition) for item in partitions])


def _record(message: Any) -> Record:
    headers = tuple(message.headers() or ())
    # In half the time of a call with seven arguments.
    return Record._make(
        (
            message.topic(),
            message.partition(),
            message.offset(),
            message.timestamp()[1],
            message.key(),
            message.value(),
            headers,
        )
    )
