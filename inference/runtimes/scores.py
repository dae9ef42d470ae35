"""Scores in 0..1 out of what detectors give."""

from __future__ import annotations

import math


def logistic(margin: float) -> float:
    """1 / (1 + exp(-margin)): 0.5 where the detector itself is undecided, towards 1 the surer it
    is.

    It orders detections and bounds them; it is not a calibrated probability.
    """
    if margin < 0:
        return 1.0 - logistic(-margin)
    return 1.0 / (1.0 + math.exp(-margin))
