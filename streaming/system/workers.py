"""The worker processes: who runs, who is silent, who is missing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cameras.models import Camera
from inference.plans import frame_plans, record_plans
from sightline.messages import WorkerStatus
from streaming.hub.worker_states import WorkerState
from streaming.system.parts import Finding, Level, Part, plural

QUIET_SECONDS: Final = 5.0
LOST_SECONDS: Final = 15.0
LISTEN_SECONDS: Final = 3.0
SKEW_SECONDS: Final = 0.5
SCHEDULE_SECONDS: Final = 40
SHOWN_NAMES: Final = 12
SECOND_NS: Final = 1_000_000_000

START: Final = {
    "capture": "Start one with: manage.py runworkers capture",
    "infer": "Start one with: manage.py runworkers infer",
    "records": "Start one with: manage.py runworkers records",
    "imprint": "Start one with: manage.py runworkers imprint",
    "jobs": "Start it with: manage.py runjobs",
}


@dataclass(frozen=True, slots=True)
class Needs:
    """How much work the database has for each role."""

    cameras: int
    models: int
    streams: int
    imprints: int

    def why(self) -> dict[str, str]:
        """The roles that are needed, and what does not happen without them."""
        wanted = {
            "capture": (
                self.cameras and f"so no pictures come from {plural(self.cameras, 'camera')}"
            ),
            "infer": (
                self.models
                and f"so {plural(self.models, 'model version')} of pictures cannot answer"
            ),
            "records": (
                self.streams and f"so the records of {plural(self.streams, 'model version')} wait"
            ),
            "imprint": (
                self.imprints
                and f"so {plural(self.imprints, 'camera')} cannot have boxes drawn into the stream"
            ),
            "jobs": "so cameras are not probed, and neither states nor outages are recorded",
        }
        return {role: str(reason) for role, reason in wanted.items() if reason}


def needs() -> Needs:
    """Query the database."""
    enabled = Camera.objects.filter(enabled=True)
    return Needs(
        enabled.count(),
        len(frame_plans()),
        len(record_plans()),
        enabled.filter(imprint=True).count(),
    )


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as the page shows it: ``since`` in ms since the epoch, ``memory`` in bytes,
    ``runs`` the names of its cameras or models.
    """

    name: str
    role: str
    host: str
    pid: int
    since: int
    memory: int
    level: Level
    words: str
    doing: str
    runs: tuple[str, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class KnownWorkers:
    """What is known of the workers. ``listening``: seconds without interruption; ``kafka``: whether
    Kafka answers now.
    """

    workers: Sequence[WorkerState]
    here: WorkerStatus
    kafka: bool = True
    listening: float = 60.0
    runs: Mapping[str, Sequence[str]] = field(default_factory=dict)


def workers(known: KnownWorkers, wanted: Needs | None) -> tuple[Part, list[WorkerRow]]:
    """The workers' part, and a row for each. ``wanted`` is None while the database does not
    answer.
    """
    others = [item for item in known.workers if item.status.worker != known.here.worker]
    is_known = known.kafka and known.listening >= LISTEN_SECONDS
    rows = [_row(item, known, is_known) for item in others]
    rows.append(_own_row(known))
    rows.sort(key=lambda row: (_order(row.role), row.name))
    if not is_known:
        text = (
            "Listening for the workers."
            if known.kafka
            else (
                "Nothing is known of the workers: they report through Kafka, which does not answer."
            )
        )
        return Part("workers", "Workers", text, findings=(Finding(Level.WAIT, text),)), rows
    findings = [*_missing(others, wanted), *_troubles(rows), *_scheduler(others), *_clocks(others)]
    running = sum(row.level in (Level.OK, Level.NOTE) for row in rows)
    words = (
        f"{plural(running, 'process', 'processes')} at work on"
        f" {plural(len({row.host for row in rows}), 'host')}."
    )
    roles = Counter(row.role for row in rows if row.level in (Level.OK, Level.NOTE))
    return (
        Part(
            "workers",
            "Workers",
            words,
            tuple((role, str(count)) for role, count in roles.items()),
            tuple(findings),
        ),
        rows,
    )


def _order(role: str) -> int:
    roles = ("web", "capture", "infer", "records", "imprint", "jobs")
    return roles.index(role) if role in roles else len(roles)


def _row(worker: WorkerState, known: KnownWorkers, is_known: bool) -> WorkerRow:
    level, words = _judge(worker, known.workers) if is_known else (Level.WAIT, "last known")
    return _as_row(
        worker.status,
        level,
        words,
        doing(worker.status, worker.rates),
        known.runs.get(worker.status.worker, ()),
    )


def _own_row(known: KnownWorkers) -> WorkerRow:
    own = next((item for item in known.workers if item.status.worker == known.here.worker), None)
    return _as_row(
        known.here,
        Level.OK,
        "this page comes from it",
        doing(known.here, own.rates if own else {}),
        (),
    )


def _as_row(
    status: WorkerStatus, level: Level, words: str, does: str, runs: Sequence[str]
) -> WorkerRow:
    since = status.started_at // 1_000_000
    shown, more = tuple(runs[:SHOWN_NAMES]), max(0, len(runs) - SHOWN_NAMES)
    return WorkerRow(
        status.worker,
        status.role,
        status.host,
        status.pid,
        since,
        status.memory,
        level,
        words,
        does,
        shown,
        more,
    )


def _judge(worker: WorkerState, others: Iterable[WorkerState]) -> tuple[Level, str]:
    """A worker's level, and why in words."""
    status = worker.status
    if worker.silent < QUIET_SECONDS:
        lost = {name: worker.rates.get(name, 0.0) for name in ("delivery_errors", "dropped")}
        if any(lost.values()):
            text = "Kafka does not take all that it sends"
            return Level.WARN, f"{text}: {sum(lost.values()):.1f} records a second are lost"
        return Level.OK, "at work"
    successor = next((item for item in others if _follows(item, status)), None)
    if successor is not None:
        name = successor.status.worker
        return Level.WARN, f"ended without a word {worker.silent:.0f} s ago; {name} took its place"
    level = Level.BAD if worker.silent >= LOST_SECONDS else Level.WARN
    return level, f"has said nothing for {worker.silent:.0f} s: it hangs, or it was killed"


def _follows(worker: WorkerState, gone: WorkerStatus) -> bool:
    status = worker.status
    return (
        (status.role, status.host) == (gone.role, gone.host)
        and status.started_at > gone.at
        and worker.silent < QUIET_SECONDS
    )


def doing(status: WorkerStatus, rates: Mapping[str, float]) -> str:
    """What a worker does now, in numbers: "4 cameras · 39.8 frames/s"."""
    counters = status.counters
    amounts = {
        "cameras": "camera",
        "models": "model",
        "viewers": "viewer",
        "running": "job running",
    }
    rates_shown = {
        "frames": "frames/s",
        "predicted": "answers/s",
        "drawn": "pictures/s",
        "jobs": "jobs/s",
        "skipped": "skipped/s",
        "failed": "failed/s",
        "errors": "without answer/s",
        "frames_dropped": "dropped/s",
    }
    always = ("frames", "predicted", "drawn")
    shown = [
        plural(counters[name], word, "jobs running" if name == "running" else "")
        for name, word in amounts.items()
        if name in counters
    ]
    shown += [
        f"{rates[name]:.1f} {unit}"
        for name, unit in rates_shown.items()
        if name in rates and (name in always or rates[name] >= 0.05)
    ]
    return " · ".join(shown)


def _missing(workers: Iterable[WorkerState], wanted: Needs | None) -> Iterable[Finding]:
    if wanted is None:
        return
    there = {item.status.role for item in workers if item.silent < LOST_SECONDS}
    for role, reason in wanted.why().items():
        if role not in there:
            name = "process for jobs" if role == "jobs" else f"{role} worker"
            yield Finding(Level.BAD, f"No {name} runs, {reason}.", START[role])


def _troubles(rows: Iterable[WorkerRow]) -> Iterable[Finding]:
    for row in rows:
        if row.level in (Level.WARN, Level.BAD):
            yield Finding(row.level, f"{row.name} {row.words}.")


def _scheduler(workers: Iterable[WorkerState]) -> Iterable[Finding]:
    """Whether the scheduler runs: each process that takes jobs notes when it last sent one."""
    jobs = [
        item.status
        for item in workers
        if item.status.role == "jobs" and item.silent < QUIET_SECONDS
    ]
    if not jobs:
        return
    # By each process's own clock. One that has just started may not have been sent a job yet.
    waited = min(
        (status.at - max(status.counters.get("last_scheduled", 0) * SECOND_NS, status.started_at))
        / SECOND_NS
        for status in jobs
    )
    if waited > SCHEDULE_SECONDS:
        text = (
            f"The scheduler has sent no job for {waited:.0f} s: states and outages are not"
            " recorded."
        )
        yield Finding(Level.WARN, text, "Run one: celery -A sightline beat")


def _clocks(workers: Iterable[WorkerState]) -> Iterable[Finding]:
    behind: dict[str, float] = {}
    for item in workers:
        if item.silent < QUIET_SECONDS:
            behind[item.status.host] = min(
                behind.get(item.status.host, item.behind), item.behind, key=abs
            )
    for host, seconds in sorted(behind.items()):
        if abs(seconds) > SKEW_SECONDS:
            direction = "behind" if seconds > 0 else "ahead of"
            off = f"The clock of {host} is about {abs(seconds):.1f} s {direction} this one's"
            yield Finding(
                Level.WARN, f"{off}, so ages on the pages are wrong by that. Set the time by NTP."
            )


def listening_for(since: float) -> float:
    """Seconds since ``since`` of the monotonic clock; 0 when it lies in the future."""
    return max(0.0, time.monotonic() - since)
