"""Retrying dead letters: each is claimed, given back to a model, and marked with how that went."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from inference.deadletters.letters import Letter, errors_topic
from inference.deadletters.retry_frames import FrameRetry
from inference.deadletters.sender import RetryError, RetrySender
from inference.models import Deployment, InputKind, ModelVersion, RetriedLetter
from sightline.base.redaction import redact_url
from sightline.kafka import KafkaUnavailable, topics

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryOutcome:
    """How a retry went, in plain words. ``halts``: other letters would fail in the same way now."""

    succeeded: bool
    detail: str
    halts: bool = False


class Retrier:
    """Retries letters of ``source`` against ``target``, for the user with the key ``by``.

    A context manager: what runs the model is loaded with the first frame and kept until the end.
    """

    def __init__(self, source: ModelVersion, target: ModelVersion, by: int | None = None) -> None:
        self.source = source
        self.target = target
        self.by = by
        self.sender = RetrySender()
        self.frames = FrameRetry(target, self.sender)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.frames.close()
        self.sender.close()

    def retry_each(
        self, letters: Iterable[Letter], *, again: bool
    ) -> Iterator[tuple[Letter, RetryOutcome]]:
        """Retry letters until one halts the rest, which would fail in the same way.

        Leaves out those that another worker retries and, without ``again``, those that were
        retried with success.
        """
        RetriedLetter.forget_old()
        for letter in letters:
            outcome = self.retry(letter, again=again)
            if outcome is None:
                continue
            yield letter, outcome
            if outcome.halts:
                log.warning(
                    "retry of dead letters halted model=%s detail=%s", self.target, outcome.detail
                )
                return

    def retry(self, letter: Letter, *, again: bool = True) -> RetryOutcome | None:
        """Retry one letter; None if another worker retries it, or if it was retried with success
        and this is not ``again``.
        """
        claim = RetriedLetter.claim(
            self.source.pk,
            errors_topic(self.source).name,
            letter.id,
            by=self.by,
            against=str(self.target),
            again=again,
        )
        if claim is None:
            return None
        try:
            outcome = RetryOutcome(
                True, self.frames.predict(letter) if letter.camera else self._send(letter)
            )
        except RetryError as err:
            outcome = RetryOutcome(False, redact_url(str(err)), halts=err.halts)
        except KafkaUnavailable as err:
            outcome = RetryOutcome(False, str(err), halts=True)
        claim.settle(succeeded=outcome.succeeded, detail=outcome.detail)
        return outcome

    def _send(self, letter: Letter) -> str:
        """Send a record to the target's inputs topic again; returns what was done."""
        model = self.target.model
        topic = topics.inputs(model.slug, self.target.version, model.partitions)
        self.sender.send(
            topic,
            letter.record.value,
            key=letter.record.key,
            headers=letter.retry_headers,
            partition=letter.why.partition,
        )
        if self._takes_records:
            return f"Sent to {topic.name}."
        return (
            f"Sent to {topic.name}. No enabled deployment takes its records: they wait there until"
            " one does."
        )

    @cached_property
    def _takes_records(self) -> bool:
        return Deployment.objects.filter(
            version=self.target, enabled=True, kind=InputKind.RECORDS
        ).exists()
