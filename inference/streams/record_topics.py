"""The topics of a record stream, created where they are missing."""

from __future__ import annotations

import logging
import time
from typing import Final

from inference.plans import RecordPlan
from sightline.kafka import Admin, KafkaUnavailable, topics

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 30.0


class RecordTopics:
    """Inputs, outputs and errors of one model version. For one thread."""

    def __init__(self, plan: RecordPlan, admin: Admin) -> None:
        self.plan = plan
        self.admin = admin
        self.inputs, self.outputs, self.errors = topics.record_topics(
            plan.model, plan.version, plan.partitions
        )
        self.output_partitions = 1
        self._due = 0.0

    def ensure(self) -> None:
        """Create what is missing, unless that was looked after a short while ago."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + CHECK_SECONDS
        self.admin.forget()
        try:
            history = topics.model_history(self.plan.model, self.plan.version)
            self.admin.ensure((topics.status(), history, self.inputs, self.outputs, self.errors))
            self.output_partitions = self.admin.partitions().get(
                self.outputs.name, self.plan.partitions
            )
        except KafkaUnavailable as err:
            log.warning("topics not created model=%s detail=%s", self.plan.key, err)

    def expire(self) -> None:
        """Look after the topics in the next round: one of them may be gone."""
        self._due = 0.0
