"""Metrics: how they are declared, and those that every process has. docs/metrics.md lists all.

Values are read when Prometheus scrapes, from counters that exist anyway, so the series of a removed
camera end by themselves. Labels are the short names of registered cameras and models, and words of
closed lists; never text from a model or a user.
"""

from __future__ import annotations

import logging
import shutil
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

from django.conf import settings
from prometheus_client import GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CollectorRegistry, Metric

import sightline

if TYPE_CHECKING:
    from sightline.kafka import Producer

log = logging.getLogger(__name__)

# In seconds. 2 s is the age at which a frame is no longer shown as live.
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
_EDGES: Final = (*(f"{bound:g}" for bound in BOUNDS), "+Inf")


class Durations:
    """How many durations were up to each of BOUNDS, and their sum. Thread-safe; adding one costs
    a fraction of a microsecond.
    """

    __slots__ = ("_counts", "_lock", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * len(_EDGES)
        self._sum = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Count a duration. A negative one, from clocks that differ, counts as 0."""
        seconds = max(0.0, seconds)
        place = bisect_left(BOUNDS, seconds)
        with self._lock:
            self._counts[place] += 1
            self._sum += seconds

    def state(self) -> tuple[list[int], float]:
        """The cumulative count for each bound, the last one without a limit; and the sum in
        seconds.
        """
        with self._lock:
            return list(accumulate(self._counts)), self._sum


Value = float | Durations
Row = tuple[Sequence[str], Value]
"""The labels' values, in the family's order, and the value."""


@dataclass(frozen=True, slots=True)
class Family:
    """A declared metric; ``words`` are its help text. A histogram's values are Durations."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    words: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Its name in Prometheus: a counter's ends in ``_total``; to a histogram's samples,
        ``_bucket``, ``_sum`` and ``_count`` are appended.
        """
        return f"{self.name}_total" if self.kind == "counter" else self.name

    def of(self, rows: Iterable[Row]) -> Metric:
        """The metric with these samples."""
        metric = Metric(self.name, self.words, self.kind)
        for names, value in rows:
            labels = dict(zip(self.labels, names, strict=True))
            if isinstance(value, Durations):
                self._add_durations(metric, labels, value)
            else:
                metric.add_sample(self.shown, labels, value)
        return metric

    def single(self, value: float) -> Metric:
        """The metric with a single sample."""
        return self.of([((), value)])

    def _add_durations(self, metric: Metric, labels: dict[str, str], durations: Durations) -> None:
        counts, total = durations.state()
        for edge, count in zip(_EDGES, counts, strict=True):
            metric.add_sample(f"{self.name}_bucket", labels | {"le": edge}, count)
        metric.add_sample(f"{self.name}_count", labels, counts[-1])
        metric.add_sample(f"{self.name}_sum", labels, total)


def one_of(family: Family, rows: Iterable[tuple[Sequence[str], str, Iterable[str]]]) -> Metric:
    """A gauge whose last label is a state: 1 for the one that holds, 0 for the others. Each row:
    the other labels, the state, all states.
    """
    return family.of(
        ((*names, state), float(state == holds))
        for names, holds, states in rows
        for state in states
    )


BUILD = Family(
    "gauge",
    "sightline_build_info",
    "1; the labels say which release runs, and what the process does",
    ("version", "role"),
)
HEALTHY = Family(
    "gauge",
    "sightline_healthy",
    "1 while the process does its work, as /healthz has it; 0 when it hangs",
    ("role",),
)
READY = Family(
    "gauge",
    "sightline_ready",
    "1 when what the process needs answers, 0 when it does not, as /readyz has it",
    ("check",),
)
DISK_FREE = Family("gauge", "sightline_data_free_bytes", "Room left on the disk of DATA_DIR")
DISK_SIZE = Family("gauge", "sightline_data_size_bytes", "Size of the disk of DATA_DIR")
KAFKA_RECORDS = Family(
    "counter",
    "sightline_kafka_producer_records",
    "Records given to Kafka's client: delivered; failed, given up after 5 s; refused, because the"
    " queue was full or the record too large",
    ("result",),
)
KAFKA_BYTES = Family(
    "counter",
    "sightline_kafka_producer_bytes",
    "Bytes of the records that were delivered, without keys and headers",
)
KAFKA_QUEUE_RECORDS = Family(
    "gauge",
    "sightline_kafka_producer_queue_records",
    "Records on their way to Kafka, not yet acknowledged",
)
KAFKA_QUEUE_BYTES = Family(
    "gauge", "sightline_kafka_producer_queue_bytes", "Bytes of these records"
)
KAFKA_QUEUE_LIMIT = Family(
    "gauge",
    "sightline_kafka_producer_queue_limit_bytes",
    "Bytes at which the queue is full and records are refused",
)
LAG = Family(
    "gauge",
    "sightline_consumer_lag_records",
    "Records that this process has still to read, or of record streams to answer, by consumer"
    " group",
    ("group",),
)
STAGE = Family(
    "histogram",
    "sightline_frame_stage_seconds",
    "How long a frame took: kafka, from capture until Kafka had it; transport, from capture until"
    " the model's worker had read it; waiting, until the model began; model, until it was done",
    ("camera", "model", "version", "stage"),
)
AGE = Family(
    "histogram",
    "sightline_frame_age_seconds",
    "Time since capture when the model was done with the frame (predicted), or a viewer was sent it"
    " (sent-wall, sent-stream)",
    ("camera", "model", "version", "at"),
)
RESTARTS = Family(
    "counter",
    "sightline_process_restarts",
    "How often the supervisor has started the process again",
    ("process",),
)
RUNNING = Family(
    "gauge",
    "sightline_process_running",
    "1 while the process runs and shows signs of life to its supervisor",
    ("process",),
)
FAMILIES: Final = (
    BUILD,
    HEALTHY,
    READY,
    DISK_FREE,
    DISK_SIZE,
    KAFKA_RECORDS,
    KAFKA_BYTES,
    KAFKA_QUEUE_RECORDS,
    KAFKA_QUEUE_BYTES,
    KAFKA_QUEUE_LIMIT,
    LAG,
    STAGE,
    AGE,
    RESTARTS,
    RUNNING,
)

Source = Callable[[], Iterable[Metric]]


class Exporter:
    """Collects from its sources at each scrape; one that raises loses only its own metrics."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources

    def describe(self) -> Iterable[Metric]:
        """Empty, so that registering collects nothing."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of every source that does not raise."""
        for source in self.sources:
            try:
                yield from list(source())
            except Exception:
                log.exception("metrics are missing source=%s", source)


def registry_of(*sources: Source) -> CollectorRegistry:
    """A registry with these metrics beside those of the client library: memory, processor time,
    open files, Python's garbage collector.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(Exporter(sources))
    return registry


def process_metrics(role: str, healthy: bool, problems: dict[str, str]) -> Iterator[Metric]:
    """The metrics of every process. ``problems``: what each check found, or ""."""
    yield BUILD.of([((sightline.__version__, role), 1)])
    yield HEALTHY.of([((role,), float(healthy))])
    yield READY.of(((name,), float(not problem)) for name, problem in problems.items())
    usage = shutil.disk_usage(settings.DATA_DIR)
    yield DISK_FREE.single(usage.free)
    yield DISK_SIZE.single(usage.total)


def producer_metrics(producer: Producer) -> Iterator[Metric]:
    """What a process has sent to Kafka."""
    counts = {
        "delivered": producer.delivered,
        "failed": producer.failed,
        "refused": producer.dropped,
    }
    yield KAFKA_RECORDS.of(((result,), count) for result, count in counts.items())
    yield KAFKA_BYTES.single(producer.bytes_delivered)
    yield KAFKA_QUEUE_RECORDS.single(producer.queued)
    yield KAFKA_QUEUE_BYTES.single(producer.bytes_queued)
    yield KAFKA_QUEUE_LIMIT.single(producer.queue_limit)
