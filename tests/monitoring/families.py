"""All metrics that the code declares."""

from __future__ import annotations

from itertools import chain
from typing import Final

import cameras.metrics
import inference.metrics
import sightline.jobs
import sightline.metrics
import streaming.metrics
from sightline.metrics import Family

FAMILIES: Final[tuple[Family, ...]] = tuple(
    chain(sightline.metrics.FAMILIES, sightline.jobs.FAMILIES, cameras.metrics.FAMILIES, inference.metrics.FAMILIES, streaming.metrics.FAMILIES)
)
