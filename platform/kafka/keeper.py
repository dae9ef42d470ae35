"""Making topics anew that are gone: somebody deleted them, or the broker came back empty.

Records for a topic that is not there are no error to librdkafka: they wait until they are too old. And a producer that knew the topic on the broker
that is gone may not find it on the one that came back empty: records go on waiting, while the broker answers all else. Only a new client helps.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from sightline.kafka.admin import Admin
from sightline.kafka.connection import KafkaUnavailable
from sightline.kafka.producer import Producer

log = logging.getLogger(__name__)

STUCK_SECONDS: Final = 0.7
LOOK_SECONDS: Final = 0.25
ASK_SECONDS: Final = 2.0
VAIN_LOOKS: Final = 2
REST_SECONDS: Final = 10.0


class TopicKeeper:
    """Looks after the topics that a producer sends to, in a thread of its own, because asking may take as long as Kafka likes."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self._delivered = self._vain_looks = 0
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
        stuck = self.producer.take_stuck(STUCK_SECONDS)
        if not stuck:
            return []
        if not self.producer.answers(ASK_SECONDS):
            self._vain_looks = 0
            return []
        try:
            # A connection for the occasion: records are stuck once in hours, and an open one costs four threads.
            made = Admin().ensure(stuck, ASK_SECONDS)
        except KafkaUnavailable as err:
            log.debug("topics cannot be looked after detail=%s", err)
            return []
        self._look_after_client()
        return made

    def _look_after_client(self) -> None:
        """Replace one that delivers nothing from one look to the next, although the topics are there."""
        delivered, self._delivered = self._delivered, self.producer.delivered
        self._vain_looks = self._vain_looks + 1 if delivered == self._delivered else 0
        if self._vain_looks >= VAIN_LOOKS and time.monotonic() >= self._rest_until:
            self._vain_looks, self._rest_until = 0, time.monotonic() + REST_SECONDS
            log.warning("kafka takes no records although it answers, sending with a new client")
            self.producer.renew()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            if made := self.look():
                log.warning("topics were gone and are made anew topics=%s", ", ".join(made))
