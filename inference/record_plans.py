"""Which record streams the database says should run: plain values that workers compare and act
on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.models import Delivery, Deployment, Kind
from inference.runtimes import RUNTIMES


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """One model version between its topics. ``options`` and ``input_schema`` are JSON text, so that
    plans compare and hash.

    ``batch`` records at most go into one call of the model; ``partitions`` are those of the
    topics of inputs and outputs.
    """

    model: str
    version: str
    runtime: str
    options: str = "{}"
    file: str = ""
    sha256: str = ""
    input_schema: str = "{}"
    exactly_once: bool = False
    batch: int = 1
    partitions: int = 1

    @property
    def key(self) -> str:
        """``model@version``."""
        return f"{self.model}@{self.version}"

    @property
    def option_values(self) -> dict[str, Any]:
        """The runtime's options."""
        values: dict[str, Any] = json.loads(self.options)
        return values

    @property
    def path(self) -> Path | None:
        """The model's file."""
        return Path(self.file) if self.file else None

    @property
    def objection(self) -> str:
        """Why it cannot run as it is asked to, in one plain sentence; "" when it can."""
        return objection(self.runtime, self.exactly_once)


def objection(runtime: str, exactly_once: bool) -> str:
    """Why a runtime cannot be had with ``exactly-once``; "" when it can. For forms, too."""
    if exactly_once and runtime in RUNTIMES and RUNTIMES[runtime].remote:
        return (
            "Exactly once is for models that run in the worker itself: what a server does cannot be"
            " undone. Choose the delivery “every”."
        )
    return ""


def record_plans() -> dict[str, RecordPlan]:
    """A plan for each model version with an enabled deployment on records, by its key."""
    deployments = (
        Deployment.objects.filter(enabled=True, kind=Kind.RECORDS)
        .select_related("version__model")
        .order_by("pk")
    )
    grouped: dict[int, list[Deployment]] = {}
    for deployment in deployments:
        grouped.setdefault(deployment.version_id, []).append(deployment)
    plans = (_plan(group) for group in grouped.values())
    return {plan.key: plan for plan in plans}


def _plan(deployments: Iterable[Deployment]) -> RecordPlan:
    """Of several deployments of one version, which share its topics, the strictest counts."""
    deployments = list(deployments)
    version = deployments[0].version
    return RecordPlan(
        model=version.model.slug,
        version=version.version,
        runtime=version.runtime,
        options=json.dumps(version.options, sort_keys=True),
        file=version.file.path if version.file else "",
        sha256=version.sha256,
        input_schema=json.dumps(version.input_schema, sort_keys=True),
        exactly_once=any(
            deployment.delivery == Delivery.EXACTLY_ONCE for deployment in deployments
        ),
        batch=max(deployment.batch for deployment in deployments),
        partitions=version.model.partitions,
    )
