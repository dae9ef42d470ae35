"""The topics: how many records they hold, how fast they grow, how large they are about, how far
behind the consumer groups are.

A sample asks once for all partitions, whatever the number of topics. One that takes long is
taken less often.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.conf import settings

from sightline.kafka import Admin, Partition, bootstrap_servers, topics
from streaming.cluster import cluster_admin
from streaming.system.record_sizes import RecordSizes

ASK_SECONDS: Final = 10.0
GROUPS_SECONDS: Final = 1.5
MAX_GROUPS: Final = 40
BEGINNINGS_SECONDS: Final = 30.0
PAUSE: Final = 9.0
LONGEST_PAUSE: Final = 10.0
SAMPLES: Final = 8
WINDOW_SECONDS: Final = 15.0
RECORDS_SUFFIX: Final = ".inputs"

Ends = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Lag:
    """How many records a consumer group has still to do in a topic."""

    group: str
    records: int


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic. ``records``: offsets between its ends; ``rate``: records a second, None before
    there are two samples; ``mean``: bytes a record.
    """

    name: str
    partitions: int
    records: int
    rate: float | None = None
    mean: float | None = None
    lags: tuple[Lag, ...] = ()

    @property
    def about(self) -> float | None:
        """About how many bytes it holds."""
        return None if self.mean is None else self.mean * self.records

    @property
    def flow(self) -> float | None:
        """About how many bytes come in a second."""
        return None if self.mean is None or self.rate is None else self.mean * self.rate


class TopicSampler:
    """The topics with our prefix, of the cluster that the settings name; ``sample`` and
    ``measure`` each for one thread at a time.
    """

    def __init__(self) -> None:
        self.sizes = RecordSizes()
        self._reset(("", ""))

    def _reset(self, key: tuple[str, str]) -> None:
        """Start over: another address is another cluster."""
        self._key = key
        self._rows: tuple[TopicRow, ...] = ()
        self._seen: deque[tuple[float, Ends]] = deque(maxlen=SAMPLES)
        self._beginnings: dict[Partition, int] = {}
        self._begun_at = self._due = float("-inf")

    @property
    def rows(self) -> tuple[TopicRow, ...]:
        """The topics as they were sampled last."""
        return self._rows

    def sample(self) -> tuple[TopicRow, ...]:
        """The topics now, by name; KafkaUnavailable when it does not answer."""
        key = bootstrap_servers(), settings.TOPIC_PREFIX
        if key != self._key:
            self._reset(key)
        started = time.monotonic()
        if started >= self._due:
            with cluster_admin() as admin:
                self._rows = self._sample(admin)
            ended = time.monotonic()
            self._due = ended + min(LONGEST_PAUSE, PAUSE * (ended - started))
        return self._rows

    def _sample(self, admin: Admin) -> tuple[TopicRow, ...]:
        prefix = f"{settings.TOPIC_PREFIX}."
        counts = {
            name: count
            for name, count in sorted(admin.partitions(ASK_SECONDS).items())
            if name.startswith(prefix)
        }
        partitions = [(name, number) for name, count in counts.items() for number in range(count)]
        ends = admin.ends(partitions, ASK_SECONDS)
        self._remember(
            {
                name: sum(ends.get((name, number), 0) for number in range(count))
                for name, count in counts.items()
            }
        )
        self._look_at_beginnings(admin, partitions)
        ranges = {
            place: (min(self._beginnings.get(place, 0), end), end) for place, end in ends.items()
        }
        lags = _lags(admin, counts, ranges)
        return tuple(
            TopicRow(
                name,
                count,
                sum(high - low for low, high in _ranges(name, count, ranges)),
                _rate(name, self._seen),
                None,
                lags.get(name, ()),
            )
            for name, count in counts.items()
        )

    def _remember(self, ends: Ends) -> None:
        at = time.monotonic()
        # However long a sample takes, two of them are kept: a rate needs no more.
        while len(self._seen) > 1 and at - self._seen[1][0] > WINDOW_SECONDS:
            self._seen.popleft()
        self._seen.append((at, ends))

    def _look_at_beginnings(self, admin: Admin, partitions: Sequence[Partition]) -> None:
        """Records are deleted by the segment, and seldom: where topics begin is asked now and
        then only, and when there is a new one.
        """
        if (
            time.monotonic() - self._begun_at > BEGINNINGS_SECONDS
            or not self._beginnings.keys() >= set(partitions)
        ):
            self._beginnings = admin.beginnings(partitions, ASK_SECONDS)
            self._begun_at = time.monotonic()

    def measure(self) -> None:
        """Find out the sizes that were asked for."""
        self.sizes.measure({row.name: row.partitions for row in self._rows})

    def measured(self, rows: Iterable[TopicRow]) -> list[TopicRow]:
        """The rows with the mean size of their records, as far as it is known; what is not known
        is found out for the next time.
        """
        return [replace(row, mean=self.sizes.mean(row.name)) for row in rows]


def _ranges(
    name: str, count: int, ranges: Mapping[Partition, tuple[int, int]]
) -> list[tuple[int, int]]:
    return [ranges[name, number] for number in range(count) if (name, number) in ranges]


def _rate(name: str, seen: Sequence[tuple[float, Ends]]) -> float | None:
    """Records a second over the samples that know the topic; None when there are not two, or the
    topic was recreated between them.
    """
    known = [(at, ends[name]) for at, ends in seen if name in ends]
    (first_at, first), (last_at, last) = known[0], known[-1]
    return (last - first) / (last_at - first_at) if last_at > first_at and last >= first else None


def _lags(
    admin: Admin, counts: Mapping[str, int], ranges: Mapping[Partition, tuple[int, int]]
) -> dict[str, tuple[Lag, ...]]:
    """The lag of the groups that keep offsets, by topic: those of record streams, and other
    programs' where the broker tells of them.
    """
    streams = {group: name for name in counts if (group := _records_group(name))}
    found: dict[str, list[Lag]] = {}
    deadline = time.monotonic() + GROUPS_SECONDS
    for group in _groups(admin, streams):
        if time.monotonic() > deadline:
            break
        topics = [streams[group]] if group in streams else counts
        wanted = [(name, number) for name in topics for number in range(counts[name])]
        done = admin.committed(group, wanted, ASK_SECONDS)
        read = {name for name, _ in done if name in counts} | (
            {streams[group]} if group in streams else set()
        )
        for name in sorted(read):
            found.setdefault(name, []).append(Lag(group, _behind(name, counts[name], ranges, done)))
    return {name: tuple(lags) for name, lags in found.items()}


def _groups(admin: Admin, streams: Mapping[str, str]) -> list[str]:
    others = [group for group in admin.groups(ASK_SECONDS) if group not in streams]
    return [*sorted(streams), *others][:MAX_GROUPS]


def _records_group(topic: str) -> str:
    """The group in which record workers share a topic of inputs; "" for other topics."""
    head, _, tail = topic.removesuffix(RECORDS_SUFFIX).partition(f"{settings.TOPIC_PREFIX}.models.")
    model, dot, version = tail.partition(".")
    return (
        topics.records_group(model, version)
        if topic.endswith(RECORDS_SUFFIX) and dot and not head
        else ""
    )


def _behind(
    name: str,
    count: int,
    ranges: Mapping[Partition, tuple[int, int]],
    done: Mapping[Partition, int],
) -> int:
    """As ``Admin.lag``, from what is known already."""
    places = {(name, number) for number in range(count)} & ranges.keys()
    return sum(
        max(0, ranges[place][1] - max(ranges[place][0], done.get(place, 0))) for place in places
    )
