"""Recreating topics that are gone: somebody deleted them, or the broker came back empty.

Records for a topic that does not exist are no error to librdkafka: they wait until they expire.
And a producer that knew the topic on the broker that is gone may not find it on the one that came
back empty: records go on waiting, while the broker answers everything else. Only a new client
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
from sightline.kafka.cooldown import Cooldown
from sightline.kafka.producer import Producer
from sightline.kafka.topics import Topic

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 0.25
STUCK_SECONDS: Final = 0.7
ASK_SECONDS: Final = 2.0
UNDELIVERED_SECONDS: Final = 1.3
RENEW_SECONDS: Final = 10.0


class TopicWatchdog:
    """Looks after the topics that a producer sends to, in a thread of its own, because asking
    Kafka may take as long as it likes.
    """

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self._stuck_since: dict[str, float] = {}
        self._cooldown = Cooldown(RENEW_SECONDS, RENEW_SECONDS)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="topic-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Check no more. Does not wait for a check that is under way."""
        self._stopping.set()

    def check(self) -> list[str]:
        """Recreate those topics that do not exist and that records wait for; returns their
        names.
        """
        # Serve delivery reports first: senders may poll once a second only, and unserved reports
        # look like stuck records.
        self.producer.poll_if_open()
        stuck = self.producer.pop_stuck(STUCK_SECONDS)
        if not stuck:
            return []
        if self.producer.health.check(self.producer.client, ASK_SECONDS):
            self._stuck_since.clear()
            return []
        try:
            # A connection for the occasion: records are stuck once in hours, and an open one costs
            # four threads.
            created = Admin().ensure(stuck, ASK_SECONDS)
        except KafkaUnavailable as err:
            log.debug("topics cannot be checked detail=%s", err)
            return []
        if self._is_undelivered(stuck) and self._cooldown.is_over:
            self._cooldown.start()
            log.warning(
                "kafka takes no records although it answers, sending with a new client topics=%s",
                ", ".join(topic.name for topic in stuck),
            )
            self.producer.renew()
        return created

    def _is_undelivered(self, stuck: Iterable[Topic]) -> bool:
        """Whether Kafka has taken nothing for one of these topics for a while, although it exists.
        It may take records for others all the time.
        """
        now = time.monotonic()
        for topic in stuck:
            since = self._stuck_since.setdefault(topic.name, now)
            if (
                self.producer.delivered_at.get(topic.name, 0.0) > since
                or now - since > RENEW_SECONDS
            ):
                self._stuck_since[topic.name] = now
        return any(now - self._stuck_since[topic.name] >= UNDELIVERED_SECONDS for topic in stuck)

    def _run(self) -> None:
        while not self._stopping.wait(CHECK_SECONDS):
            try:
                created = self.check()
            except Exception:
                log.exception("topics could not be checked, the next check is due")
                continue
            if created:
                log.warning("missing topics recreated topics=%s", ", ".join(created))
