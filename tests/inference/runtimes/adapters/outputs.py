"""Tensors and options for the tests of adapters."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.runtimes.adapters import create
from inference.runtimes.adapters.base import Adapter
from inference.runtimes.placement import Placement
from inference.runtimes.tensors import Tensor
from sightline.messages import Detection

WHOLE = Placement(640, 640, 0, 0, 640, 640)
# A picture of 1280 x 720 pixels in an input of 640 x 640.
LETTERBOXED = Placement(640, 640, 0, 140, 640, 360)


def adapter(name: str, **options: Any) -> Adapter:
    """An adapter by name."""
    return create({"adapter": name, **options})


def read(
    name: str,
    outputs: dict[str, Any],
    pictures: int = 1,
    placement: Placement = WHOLE,
    **options: Any,
) -> list[tuple[Detection, ...]]:
    """What an adapter makes of outputs."""
    tensors = {
        key: value if isinstance(value, np.ndarray) else np.array(value, np.float32)
        for key, value in outputs.items()
    }
    return adapter(name, **options).detections(tensors, [placement] * pictures)


def one(name: str, tensor: Any, **options: Any) -> tuple[Detection, ...]:
    """What an adapter makes of a single output for a single picture."""
    return read(name, {"output0": tensor}, **options)[0]


def boxes(found: tuple[Detection, ...]) -> list[tuple[float, ...]]:
    """The boxes, rounded."""
    return [tuple(round(number, 3) for number in item.box or ()) for item in found]


def tensor(*rows: Any) -> Tensor:
    """A tensor of floats."""
    return np.array(rows, np.float32)
