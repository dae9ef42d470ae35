"""The tensors themselves, as JSON text: to see what a model gives."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from inference.runtimes.adapters.base import shaped
from inference.runtimes.adapters.labels import Labels
from inference.runtimes.options import Options, number, text
from inference.runtimes.placement import Placement
from inference.runtimes.tensors import Tensor, datatype_of
from sightline.messages import Detection


class RawOptions(Options):
    """How much is shown."""

    label: str = text("raw", "Label of the prediction that carries the tensors.")
    values: int = number(
        1000, 1, 10_000, "Of each tensor at most this many values are given, the first ones."
    )


class Raw:
    """One prediction a picture, score 1, whose text is JSON: {output: {"datatype", "shape",
    "values"}}.

    ``values`` are flat, in row-major order; NaN and infinities, which JSON has not, are null.
    """

    Options = RawOptions

    def __init__(self, options: RawOptions) -> None:
        self._options = options
        self.labels = Labels()

    def detections(
        self, outputs: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[tuple[Detection, ...]]:
        """The tensors of each picture."""
        pictures = len(placements)
        rows = {
            name: shaped(tensor, (pictures, *[-1] * (tensor.ndim - 1)), f"values of {name!r}")
            for name, tensor in outputs.items()
        }
        return [
            self._shown({name: tensor[index] for name, tensor in rows.items()})
            for index in range(pictures)
        ]

    def _shown(self, outputs: Mapping[str, Any]) -> tuple[Detection, ...]:
        arrays = {name: np.asarray(value) for name, value in outputs.items()}
        document = {
            name: {
                "datatype": datatype_of(array),
                "shape": array.shape,
                "values": [_json(item) for item in array.ravel()[: self._options.values].tolist()],
            }
            for name, array in arrays.items()
        }
        return (
            Detection(
                self._options.label,
                1.0,
                text=json.dumps(document, ensure_ascii=False, separators=(",", ":")),
            ),
        )


def _json(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value if isinstance(value, int | str | bool) else str(value)
