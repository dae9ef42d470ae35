"""All metrics that the code declares."""

from __future__ import annotations

from itertools import chain
from typing import Final

import cameras.capture.metrics
import inference.runner.metrics
import sightline.jobs.report
import sightline.telemetry.metrics
import streaming.system.metrics
from sightline.telemetry.metrics import Family

FAMILIES: Final[tuple[Family, ...]] = tuple(
    chain(
        sightline.telemetry.metrics.FAMILIES,
        sightline.jobs.report.FAMILIES,
        cameras.capture.metrics.FAMILIES,
        inference.runner.metrics.FAMILIES,
        streaming.system.metrics.FAMILIES,
    )
)
