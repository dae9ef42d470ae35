"""When a consumer has to go on with a new client, because the old one reads nothing any more."""

from __future__ import annotations

import math
import time
from typing import Final

from sightline.base.backoff import Backoff
from sightline.kafka.stall_detector import StallDetector

REJOIN_SECONDS: Final = 3.0
MAX_REJOIN_SECONDS: Final = 600.0


class Recovery:
    """Tells when a consumer needs a new client: its partitions stalled, or its group gave it
    nothing after it had lost its whole assignment.

    A broker that comes back empty lacks the topics at first. If librdkafka leads the group in that
    moment, it assigns nothing, and when the topics are recreated it finds what it had known before,
    so that to it nothing has changed. A consumer that lost its assignment and got an empty one
    therefore rejoins after some seconds, later and later.
    """

    def __init__(self) -> None:
        self.stalls = StallDetector()
        self._lost_assignment = False
        self._rejoin_at = math.inf
        self._rejoin_backoff = Backoff(REJOIN_SECONDS, MAX_REJOIN_SECONDS)

    def is_due(self) -> bool:
        return self.stalls.lost or time.monotonic() >= self._rejoin_at

    def on_assign(self, *, empty: bool) -> None:
        """The group has assigned partitions, or none (``empty``)."""
        if not empty:
            self.forget()
            self._rejoin_backoff.reset()
        elif self._lost_assignment:
            self._rejoin_at = time.monotonic() + self._rejoin_backoff.next()

    def on_lost(self) -> None:
        """The group went on without the consumer, which had partitions."""
        self._lost_assignment = True

    def on_new_client(self) -> None:
        self._rejoin_at = math.inf
        self.stalls.on_new_client()

    def forget(self) -> None:
        """Do not rejoin: the consumer has partitions again, or wants none any more."""
        self._lost_assignment, self._rejoin_at = False, math.inf
