"""Kafka: whether it answers, its brokers, its partitions' health, its limits."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from django.conf import settings

from sightline.kafka import Admin, Cluster, bootstrap_servers
from streaming.cluster import cluster_admin
from streaming.system.parts import Finding, Level, Part, plural, size

ASK_SECONDS: Final = 2.0
LIMITS_SECONDS: Final = 60.0


class ClusterWatch:
    """Checks the cluster that the settings name; ``check`` is for one thread at a time."""

    def __init__(self) -> None:
        self._limits: tuple[str, float, str] = ("", float("-inf"), "")

    def check(self) -> Part:
        """Kafka's part. Raises KafkaUnavailable if it does not answer."""
        address = bootstrap_servers()
        with cluster_admin() as admin:
            started = time.monotonic()
            cluster = admin.cluster(ASK_SECONDS)
            answered = time.monotonic() - started
            return _part(address, cluster, answered, self._limit(admin, cluster, address))

    def _limit(self, admin: Admin, cluster: Cluster, address: str) -> str:
        checked, at, problem = self._limits
        if checked != address or time.monotonic() - at > LIMITS_SECONDS:
            problem = _too_small(admin, sorted(cluster.topics))
            self._limits = address, time.monotonic(), problem
        return problem


def _too_small(admin: Admin, names: Iterable[str]) -> str:
    """A topic of frames that was made with a smaller limit than the settings have now; "" when
    there is none.
    """
    frames = next(
        (
            name
            for name in names
            if name.startswith(f"{settings.TOPIC_PREFIX}.") and name.endswith(".frames")
        ),
        None,
    )
    if frames is None:
        return ""
    limit = admin.config(frames, ASK_SECONDS).get("max.message.bytes", "")
    if not limit.isdecimal() or int(limit) >= settings.KAFKA_MAX_MESSAGE_BYTES:
        return ""
    allowed = size(settings.KAFKA_MAX_MESSAGE_BYTES)
    return (
        f"{frames} takes records of {size(int(limit))} at most, the settings allow {allowed}: "
        "larger ones are lost. Raise its max.message.bytes."
    )


def _part(address: str, cluster: Cluster, answered: float, limit: str) -> Part:
    findings = [*_partition_findings(cluster), *([Finding(Level.WARN, limit)] if limit else [])]
    if settings.KAFKA_EMBEDDED:
        text = (
            "The embedded broker serves this machine only, and forgets everything when it ends. Set"
            " KAFKA_BOOTSTRAP_SERVERS for more."
        )
        findings.append(Finding(Level.NOTE, text))
    own = sum(name.startswith(f"{settings.TOPIC_PREFIX}.") for name in cluster.topics)
    facts = (
        ("Kind", "embedded broker" if settings.KAFKA_EMBEDDED else "Kafka cluster"),
        ("Address", address),
        ("Brokers", ", ".join(f"{number}: {where}" for number, where in cluster.brokers.items())),
        ("Controller", str(cluster.controller) if cluster.controller >= 0 else "not told"),
        ("Answers in", f"{answered * 1000:.0f} ms"),
        ("Topics", f"{own:,} of Sightline, {len(cluster.topics) - own:,} others"),
        ("Largest record", size(settings.KAFKA_MAX_MESSAGE_BYTES)),
    )
    words = f"{plural(len(cluster.brokers), 'broker')}, {plural(own, 'topic')} of Sightline."
    return Part("kafka", "Kafka", words, facts, tuple(findings))


def _partition_findings(cluster: Cluster) -> Iterable[Finding]:
    states = [
        state
        for name, partitions in cluster.topics.items()
        if name.startswith(f"{settings.TOPIC_PREFIX}.")
        for state in partitions
    ]
    headless = sum(state.leader < 0 for state in states)
    short = sum(len(state.in_sync) < len(state.replicas) for state in states)
    if headless:
        text = (
            f"{plural(headless, 'partition has', 'partitions have')} no leader: nothing can be"
            " written there. Look after the brokers."
        )
        yield Finding(Level.BAD, text)
    if short:
        text = (
            f"{plural(short, 'partition has', 'partitions have')} fewer copies in step than wanted."
            " Look after the brokers."
        )
        yield Finding(Level.WARN, text)


def away(detail: str) -> Part:
    """The part about Kafka when it does not answer."""
    text = (
        "Kafka does not answer. Nothing is recorded or shown meanwhile; all goes on by itself when"
        " it is back."
    )
    return Part(
        "kafka", "Kafka", text, (("Detail", detail),) if detail else (), (Finding(Level.BAD, text),)
    )
