"""Making topics anew that are gone: somebody deleted them, or the broker came back empty.

Records for a topic that is not there are no error to librdkafka: they wait until they are too old.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from sightline.kafka.admin import Admin
from sightline.kafka.connection import KafkaUnavailable
from sightline.kafka.producer import Producer

log = logging.getLogger(__name__)

STUCK_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.5
ASK_SECONDS: Final = 2.0


class TopicKeeper:
    """Looks after the topics that a producer sends to, in a thread of its own, because asking may take as long as Kafka likes."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.admin = Admin()
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
        if not stuck or not self.producer.health.reachable:
            return []
        self.admin.forget()
        try:
            return self.admin.ensure(stuck, ASK_SECONDS)
        except KafkaUnavailable as err:
            log.debug("topics cannot be looked after detail=%s", err)
            return []

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            if made := self.look():
                log.warning("topics were gone and are made anew topics=%s", ", ".join(made))
