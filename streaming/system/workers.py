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
from streaming.hub.worker_states import WorkerSummary
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
    """How much there is to do for each role, by what the database says."""

    cameras: int
    models: int
    streams: int
    imprints: int

    def why(self) -> dict[str, str]:
        """The roles that are needed, and what for."""
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
    """Ask the database."""
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
    """What is known of the workers. ``listening``: for how many seconds without interruption;
    ``kafka``: whether Kafka answers now.
    """

    said: Sequence[WorkerSummary]
    here: WorkerStatus
    kafka: bool = True
    listening: float = 60.0
    runs: Mapping[str, Sequence[str]] = field(default_factory=dict)


def workers(heard: KnownWorkers, wanted: Needs | None) -> tuple[Part, list[WorkerRow]]:
    """The part about the workers, and a row for each. ``wanted`` None: the database does not say
    what is needed.
    """
    others = [item for item in heard.said if item.status.worker != heard.here.worker]
    known = heard.kafka and heard.listening >= LISTEN_SECONDS
    rows = [_row(item, heard, known) for item in others]
    rows.append(_own_row(heard))
    rows.sort(key=lambda row: (_order(row.role), row.name))
    if not known:
        text = (
            "Listening for the workers."
            if heard.kafka
            else (
                "Nothing is known of the workers: they report through Kafka, which does not answer."
            )
        )
        return Part("workers", "Workers", text, findings=(Finding(Level.WAIT, text),)), rows
    findings = [*_missing(others, wanted), *_troubles(rows), *_beat(others), *_clocks(others)]
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


def _row(said: WorkerSummary, heard: KnownWorkers, known: bool) -> WorkerRow:
    level, words = _judged(said, heard.said) if known else (Level.WAIT, "last known")
    return _as_row(
        said.status,
        level,
        words,
        doing(said.status, said.rates),
        heard.runs.get(said.status.worker, ()),
    )


def _own_row(heard: KnownWorkers) -> WorkerRow:
    own = next((item for item in heard.said if item.status.worker == heard.here.worker), None)
    return _as_row(
        heard.here,
        Level.OK,
        "this page comes from it",
        doing(heard.here, own.rates if own else {}),
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


def _judged(said: WorkerSummary, all_said: Iterable[WorkerSummary]) -> tuple[Level, str]:
    """How a worker does, in words."""
    status = said.status
    if said.silent < QUIET_SECONDS:
        lost = {name: said.rates.get(name, 0.0) for name in ("delivery_errors", "dropped")}
        if any(lost.values()):
            return (
                Level.WARN,
                (
                    f"Kafka does not take all that it sends: {sum(lost.values()):.1f} records a"
                    " second are lost"
                ),
            )
        return Level.OK, "at work"
    successor = next((item for item in all_said if _follows(item, status)), None)
    if successor is not None:
        return (
            Level.WARN,
            (
                f"ended without a word {said.silent:.0f} s ago; {successor.status.worker} took its"
                " place"
            ),
        )
    level = Level.BAD if said.silent >= LOST_SECONDS else Level.WARN
    return level, f"has said nothing for {said.silent:.0f} s: it hangs, or it was killed"


def _follows(said: WorkerSummary, gone: WorkerStatus) -> bool:
    status = said.status
    return (
        (status.role, status.host) == (gone.role, gone.host)
        and status.started_at > gone.at
        and said.silent < QUIET_SECONDS
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
    paces = {
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
    said = [
        plural(counters[name], word, "jobs running" if name == "running" else "")
        for name, word in amounts.items()
        if name in counters
    ]
    said += [
        f"{rates[name]:.1f} {unit}"
        for name, unit in paces.items()
        if name in rates and (name in always or rates[name] >= 0.05)
    ]
    return " · ".join(said)


def _missing(said: Iterable[WorkerSummary], wanted: Needs | None) -> Iterable[Finding]:
    if wanted is None:
        return
    there = {item.status.role for item in said if item.silent < LOST_SECONDS}
    for role, reason in wanted.why().items():
        if role not in there:
            name = "process for jobs" if role == "jobs" else f"{role} worker"
            yield Finding(Level.BAD, f"No {name} runs, {reason}. {START[role]}")


def _troubles(rows: Iterable[WorkerRow]) -> Iterable[Finding]:
    for row in rows:
        if row.level in (Level.WARN, Level.BAD):
            yield Finding(row.level, f"{row.name} {row.words}.")


def _beat(said: Iterable[WorkerSummary]) -> Iterable[Finding]:
    """The scheduler shows by the jobs that it sends, whichever process takes them."""
    jobs = [
        item.status for item in said if item.status.role == "jobs" and item.silent < QUIET_SECONDS
    ]
    if not jobs:
        return
    # Each process by its own clock; one that has just started has had no time to be sent anything.
    waited = min(
        (status.at - max(status.counters.get("last_scheduled", 0) * SECOND_NS, status.started_at))
        / SECOND_NS
        for status in jobs
    )
    if waited > SCHEDULE_SECONDS:
        text = (
            f"The scheduler has sent no job for {waited:.0f} s: states and outages are not"
            " recorded. Run one: celery -A sightline beat"
        )
        yield Finding(Level.WARN, text)


def _clocks(said: Iterable[WorkerSummary]) -> Iterable[Finding]:
    behind: dict[str, float] = {}
    for item in said:
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
