"""Making topics anew that are gone: somebody deleted them, or the broker came back empty.

Records for a topic that is not there are no error to librdkafka: they wait until they are too
old. And a producer that knew the topic on the broker that is gone may not find it on the one
that came back empty: records go on waiting, while the broker answers all else. Only a new client
helps.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Final

from sightline.kafka.admin import Admin
from sightline.kafka.connection import KafkaUnavailable
from sightline.kafka.producer import Producer
from sightline.kafka.topics import Topic

log = logging.getLogger(__name__)

STUCK_SECONDS: Final = 0.7
LOOK_SECONDS: Final = 0.25
ASK_SECONDS: Final = 2.0
VAIN_SECONDS: Final = 1.3
REST_SECONDS: Final = 10.0


class TopicWatchdog:
    """Looks after the topics that a producer sends to, in a thread of its own, because asking
    may take as long as Kafka likes.
    """

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self._stuck_since: dict[str, float] = {}
        self._rest_until = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="topic-keeper", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Does not wait for a question that is under way."""
        self._stopping.set()

    def look(self) -> list[str]:
        """Make those topics that records wait for in vain and that are not there; their names."""
        # Whoever sends may look once a second only: what Kafka has acknowledged is not stuck
        # because nobody has asked.
        self.producer.poll_if_open()
        stuck = self.producer.take_stuck(STUCK_SECONDS)
        if not stuck:
            return []
        if not self.producer.answers(ASK_SECONDS):
            self._stuck_since.clear()
            return []
        try:
            # A connection for the occasion: records are stuck once in hours, and an open one costs
            # four threads.
            made = Admin().ensure(stuck, ASK_SECONDS)
        except KafkaUnavailable as err:
            log.debug("topics cannot be looked after detail=%s", err)
            return []
        if self._in_vain(stuck) and time.monotonic() >= self._rest_until:
            self._rest_until = time.monotonic() + REST_SECONDS
            log.warning(
                "kafka takes no records although it answers, sending with a new client topics=%s",
                ", ".join(topic.name for topic in stuck),
            )
            self.producer.renew()
        return made

    def _in_vain(self, stuck: Iterable[Topic]) -> bool:
        """Whether Kafka has taken nothing for one of these topics for a while, although it is
        there. It may take records for others all the time.
        """
        now = time.monotonic()
        for topic in stuck:
            since = self._stuck_since.setdefault(topic.name, now)
            if (
                self.producer.delivered_at.get(topic.name, 0.0) > since
                or now - since > REST_SECONDS
            ):
                self._stuck_since[topic.name] = now
        return any(now - self._stuck_since[topic.name] >= VAIN_SECONDS for topic in stuck)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            if made := self.look():
                log.warning("topics were gone and are made anew topics=%s", ", ".join(made))
