"""What the workers of models tell Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client.core import Metric

from inference.runner.history import Totals
from inference.runner.state import ModelTracker
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
class RunnerState:
    """A model version in one worker. ``lag`` None: not known now. Of frames also ``cameras`` and
    ``skips``, by camera; of records ``queued``.
    """

    status: ModelStatus
    tracker: ModelTracker
    group: str
    lag: int | None
    cameras: Mapping[str, Totals] = field(default_factory=dict)
    skips: Mapping[str, int] = field(default_factory=dict)
    queued: int = 0

    @property
    def names(self) -> tuple[str, str]:
        """The labels that say which model version it is."""
        return self.status.model, self.status.version


def runner_metrics(role: str, lanes: Sequence[RunnerState]) -> Iterator[Metric]:
    """Of the lanes of one worker."""
    yield one_of(STATE, ((lane.names, lane.status.state, ModelState) for lane in lanes))
    yield CALLS.of((lane.names, lane.tracker.calls) for lane in lanes)
    yield UNWRITTEN.of((lane.names, lane.tracker.letters_unwritten) for lane in lanes)
    yield LAG.of(((lane.group,), lane.lag) for lane in lanes if lane.lag is not None)
    if role == "records":
        yield RECORDS.of(row for lane in lanes for row in _records(lane))
        yield REPEATED.of((lane.names, lane.tracker.repeated) for lane in lanes)
        yield QUEUED.of((lane.names, lane.queued) for lane in lanes)
    else:
        yield FRAMES.of(row for lane in lanes for row in _frames(lane))
        yield STAGE.of(row for lane in lanes for row in _stages(lane))
        yield AGE.of(
            ((camera, *lane.names, "predicted"), totals.age)
            for lane in lanes
            for camera, totals in lane.cameras.items()
        )


def _records(lane: RunnerState) -> Iterator[Row]:
    yield (*lane.names, "predicted"), lane.tracker.predicted
    yield (*lane.names, "failed"), lane.tracker.failed


def _frames(lane: RunnerState) -> Iterator[Row]:
    for camera, totals in lane.cameras.items():
        counts = {
            "predicted": totals.predicted,
            "failed": totals.failed,
            "unanswered": totals.errors,
            "skipped": lane.skips.get(camera, 0),
        }
        yield from (((*lane.names, camera, result), count) for result, count in counts.items())


def _stages(lane: RunnerState) -> Iterator[Row]:
    for camera, totals in lane.cameras.items():
        stages = {"transport": totals.transport, "waiting": totals.waiting, "model": totals.model}
        yield from (
            ((camera, *lane.names, stage), durations) for stage, durations in stages.items()
        )


def imprint_metrics(drawn: int, failed: int, group: str, lag: int) -> Iterator[Metric]:
    """Of an imprint worker."""
    yield IMPRINTED.of([(("drawn",), drawn), (("failed",), failed)])
    yield LAG.of([((group,), lag)])
