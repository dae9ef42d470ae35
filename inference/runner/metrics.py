"""The metrics of the workers that run models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import Metric

from inference.runner.history import CameraLedger
from inference.runner.state import RunnerState
from sightline.messages import ModelState, ModelStatus
from sightline.telemetry.metrics import (
    AGE,
    LAG,
    STAGE,
    Family,
    Row,
    one_of,
)

MODEL: Final = ("model", "version")

STATE: Final = Family(
    "gauge",
    "sightline_model_state",
    "1 for the state that the model version is in here, 0 for the others",
    (*MODEL, "state"),
)
FRAMES: Final = Family(
    "counter",
    "sightline_model_frames",
    "Frames by what became of them: predicted; skipped, a newer one came first; failed, now a dead"
    " letter; unanswered, the model's server was away",
    (*MODEL, "camera", "result"),
)
RECORDS: Final = Family(
    "counter",
    "sightline_model_records",
    "Records of record streams, in the same way: predicted or failed",
    (*MODEL, "result"),
)
CALLS: Final = Family(
    "histogram",
    "sightline_model_call_seconds",
    "How long the calls of the model took that were answered, batch by batch",
    MODEL,
)
UNWRITTEN: Final = Family(
    "counter", "sightline_dead_letters_unwritten", "Dead letters that Kafka did not take", MODEL
)
REPEATED: Final = Family(
    "counter",
    "sightline_record_rounds_repeated",
    "Rounds of records done again because Kafka did not take their answers or dead letters",
    MODEL,
)
QUEUED: Final = Family(
    "gauge",
    "sightline_record_answers_queued",
    "Answers of record streams on their way to Kafka, dead letters included",
    MODEL,
)
IMPRINTED: Final = Family(
    "counter",
    "sightline_imprint_frames",
    "Pictures with predictions drawn in: drawn, failed",
    ("result",),
)
FAMILIES: Final = (STATE, FRAMES, RECORDS, CALLS, UNWRITTEN, REPEATED, QUEUED, IMPRINTED)


@dataclass(frozen=True, slots=True)
class RunnerSample:
    """A model version in one worker. ``lag`` None: not known now. Of frames also ``cameras`` and
    ``skips``, by camera; of records ``queued``.
    """

    status: ModelStatus
    state: RunnerState
    group: str
    lag: int | None
    cameras: Mapping[str, CameraLedger] = field(default_factory=dict)
    skips: Mapping[str, int] = field(default_factory=dict)
    queued: int = 0

    @property
    def names(self) -> tuple[str, str]:
        """The labels of the model version."""
        return self.status.model, self.status.version


def runner_metrics(role: str, runners: Sequence[RunnerSample]) -> Iterator[Metric]:
    """The metrics of the runners of one worker."""
    yield one_of(STATE, ((runner.names, runner.status.state, ModelState) for runner in runners))
    yield CALLS.of((runner.names, runner.state.calls) for runner in runners)
    yield UNWRITTEN.of((runner.names, runner.state.dead_letters_unwritten) for runner in runners)
    yield LAG.of(((runner.group,), runner.lag) for runner in runners if runner.lag is not None)
    if role == "records":
        yield RECORDS.of(row for runner in runners for row in _records(runner))
        yield REPEATED.of((runner.names, runner.state.repeated) for runner in runners)
        yield QUEUED.of((runner.names, runner.queued) for runner in runners)
    else:
        yield FRAMES.of(row for runner in runners for row in _frames(runner))
        yield STAGE.of(row for runner in runners for row in _stages(runner))
        yield AGE.of(
            ((camera, *runner.names, "predicted"), ledger.age.total)
            for runner in runners
            for camera, ledger in runner.cameras.items()
        )


def _records(runner: RunnerSample) -> Iterator[Row]:
    yield (*runner.names, "predicted"), runner.state.predicted
    yield (*runner.names, "failed"), runner.state.failed


def _frames(runner: RunnerSample) -> Iterator[Row]:
    for camera, ledger in runner.cameras.items():
        counts = {
            "predicted": ledger.counts.predicted,
            "failed": ledger.counts.failed,
            "unanswered": ledger.counts.errors,
            "skipped": runner.skips.get(camera, 0),
        }
        yield from (((*runner.names, camera, result), count) for result, count in counts.items())


def _stages(runner: RunnerSample) -> Iterator[Row]:
    for camera, ledger in runner.cameras.items():
        stages = {
            "transport": ledger.transport.total,
            "waiting": ledger.waiting.total,
            "model": ledger.model.total,
        }
        yield from (
            ((camera, *runner.names, stage), durations) for stage, durations in stages.items()
        )


def imprint_metrics(drawn: int, failed: int, group: str, lag: int) -> Iterator[Metric]:
    """The metrics of an imprint worker."""
    yield IMPRINTED.of([(("drawn",), drawn), (("failed",), failed)])
    yield LAG.of([((group,), lag)])
