"""The state of all parts of the system. Each is queried separately, so that one that does not
answer does not hide the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError

from sightline.kafka import KafkaUnavailable
from streaming.cached_result import CachedResults, TimedOut, result_within
from streaming.hub.hub import Hub
from streaming.system import stores, watched
from streaming.system.cluster import ClusterWatch, away
from streaming.system.installation import installation
from streaming.system.parts import Finding, Level, Part, plural, worst
from streaming.system.topic_rows import TopicRow, TopicSampler
from streaming.system.watched import Watched
from streaming.system.web import this_process
from streaming.system.workers import KnownWorkers, Needs, WorkerRow, listening_for, needs, workers

PART_SECONDS: Final = 3.0
PAGE: Final = 25
NO_KAFKA: Final = "Kafka does not answer, so nothing is known of the topics."
COUNTING: Final = "There are no topics yet, or they are still being counted."
NONE_FOUND: Final = "No topic has a name like that."
SORTS: Final[Mapping[str, Callable[[TopicRow], Any]]] = {
    "name": lambda row: row.name,
    "rate": lambda row: (-(row.rate or 0.0), row.name),
    "records": lambda row: (-row.records, row.name),
    "lag": lambda row: (-max((lag.records for lag in row.lags), default=-1), row.name),
}

results = CachedResults()
watch = ClusterWatch()
sampler = TopicSampler()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which topics to show: those whose names contain ``text``, in this order; pages start at 1."""

    text: str = ""
    sort: str = "name"
    page: int = 1


@dataclass(frozen=True, slots=True)
class PendingParts:
    """Parts whose answers are awaited until ``until`` (monotonic seconds)."""

    parts: Mapping[str, Future[Part]]
    cluster: Future[Part]
    topics: Future[tuple[TopicRow, ...]]
    needs: Future[Needs]
    watched: Future[Watched]
    until: float

    @classmethod
    def now(cls) -> PendingParts:
        """Submit every query whose result is not cached."""
        queries: dict[str, Callable[[], Part]] = {
            "database": stores.database,
            "disk": stores.disk,
            "installation": installation,
        }
        if settings.REDIS_URL:
            queries["redis"] = stores.redis
        parts = {name: results.submit(("part", name), query) for name, query in queries.items()}
        cluster, topics = (
            results.submit("cluster", watch.check),
            results.submit("topics", sampler.sample),
        )
        return cls(
            parts,
            cluster,
            topics,
            results.submit("needs", needs),
            results.submit("watched", watched.watched),
            time.monotonic() + PART_SECONDS,
        )

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return max(0.0, self.until - time.monotonic())


def state(hub: Hub, chosen: Chosen, *, administers: bool) -> dict[str, Any]:
    """The state of the whole system as JSON; takes little more than PART_SECONDS. Shell commands
    are for those who administer.
    """
    hub.start()
    pending = PendingParts.now()
    cluster, answers_now = _cluster(pending)
    crew, crew_rows = _workers(pending, hub, kafka=answers_now)
    known = answers_now and hub.kafka.reachable and hub.settled
    parts = [
        *watched.parts(hub, lambda: _watched(pending), known=known),
        crew,
        cluster,
        *(_part(name, future, pending.left) for name, future in pending.parts.items()),
    ]
    level, words = overall(parts)
    return {
        "at": time.time_ns() // 1_000_000,
        "level": level,
        "words": words,
        "parts": [part.as_json(administers=administers) for part in parts],
        "workers": [asdict(row) for row in crew_rows],
        "topics": _topics(_rows(pending) if answers_now else None, chosen),
    }


def overall(parts: Sequence[Part]) -> tuple[Level, str]:
    """One level and one line for all parts. Notes do not change the level."""
    level = worst(part.level for part in parts)
    bad, troubled = (
        [part.title for part in parts if part.level is wanted] for wanted in (Level.BAD, Level.WARN)
    )
    if bad:
        return level, f"Needs somebody now: {', '.join(bad)}."
    if troubled:
        return level, f"Works. Needs a look: {', '.join(troubled)}."
    if level is Level.WAIT:
        return level, "Not everything is known yet."
    notes = sum(finding.level is Level.NOTE for part in parts for finding in part.findings)
    if notes:
        return Level.OK, f"Everything works. Worth knowing: {plural(notes, 'thing')}."
    return Level.OK, "Everything works."


def _part(name: str, future: Future[Part], seconds: float) -> Part:
    try:
        return result_within(future, seconds)
    except TimedOut:
        if name == "database":
            return stores.database_away()
        text = f"No answer within {PART_SECONDS:.0f} s."
        return Part(name, name.capitalize(), text, findings=(Finding(Level.BAD, text),))


def _cluster(pending: PendingParts) -> tuple[Part, bool]:
    """Kafka's part, and whether Kafka answers."""
    try:
        return result_within(pending.cluster, pending.left), True
    except KafkaUnavailable as err:
        return away(str(err)), False
    except TimedOut:
        return away(""), False


def _rows(pending: PendingParts) -> tuple[TopicRow, ...]:
    """The topics; the last count where counting takes too long."""
    try:
        return result_within(pending.topics, pending.left)
    except (KafkaUnavailable, TimedOut):
        return sampler.rows


def _workers(pending: PendingParts, hub: Hub, *, kafka: bool) -> tuple[Part, list[WorkerRow]]:
    try:
        wanted = result_within(pending.needs, pending.left)
    except (DatabaseError, TimedOut):
        wanted = None
    runs: dict[str, list[str]] = hub.models.by_worker()
    for camera, report in sorted(hub.reports.items()):
        if hub.status(camera) is not None:
            runs.setdefault(report.status.worker, []).append(camera)
    known = KnownWorkers(
        hub.workers.all(),
        this_process(),
        kafka and hub.kafka.reachable,
        listening_for(hub.listening_since),
        runs,
    )
    return workers(known, wanted)


def _watched(pending: PendingParts) -> Watched | None:
    try:
        return result_within(pending.watched, pending.left)
    except (DatabaseError, TimedOut):
        return None


def _topics(rows: Iterable[TopicRow] | None, chosen: Chosen) -> dict[str, Any]:
    """A page of the topics; without any, ``words`` say why. ``rows`` None: Kafka does not
    answer.
    """
    every = list(rows or ())
    found = sorted(
        (row for row in every if chosen.text.lower() in row.name.lower()), key=SORTS[chosen.sort]
    )
    pages = max(1, -(-len(found) // PAGE))
    page = min(chosen.page, pages)
    shown = sampler.measured(found[(page - 1) * PAGE : page * PAGE])
    results.submit("sizes", sampler.measure)
    rows_json = [asdict(row) | {"about": row.about, "flow": row.flow} for row in shown]
    words = NO_KAFKA if rows is None else "" if shown else NONE_FOUND if every else COUNTING
    return {
        "known": rows is not None,
        "rows": rows_json,
        "count": len(found),
        "total": len(every),
        "page": page,
        "pages": pages,
        "words": words,
    }
