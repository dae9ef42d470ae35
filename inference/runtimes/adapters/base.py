"""What turns a model's tensors into detections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from inference.runtimes.adapters.labels import Labels
from inference.runtimes.errors import InferenceError
from inference.runtimes.placement import Placement
from inference.runtimes.shapes import words
from inference.runtimes.tensors import Tensor
from sightline.messages import Detection

Floats = NDArray[np.float64]

# How far above 1 or below 0 rounding may take a probability.
TOLERANCE: Final = 1e-3
# Beyond any class number or pixel; with infinities, sums and conversions would fail.
LARGEST: Final = 1e6


class Adapter(Protocol):
    """One way of reading outputs. ``labels`` may be filled with those that the model itself
    brings.
    """

    labels: Labels

    def detections(
        self, outputs: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[tuple[Detection, ...]]:
        """The detections of each picture of a batch, surest first; ``placements`` say where each
        picture lies in the model's input.

        A permanent InferenceError when an output is missing, of the wrong shape, or holds what
        is not a number.
        """


def pick(outputs: Mapping[str, Tensor], name: str, option: str) -> Tensor:
    """The output by its name, or the only one when the name is empty; ``option`` is where to set
    the name.
    """
    if name in outputs:
        return outputs[name]
    if not name and len(outputs) == 1:
        return next(iter(outputs.values()))
    known = ", ".join(outputs) or "none"
    if not name:
        raise InferenceError(
            f"The model has several outputs: {known}. Set the output option {option!r} to one of"
            " them.",
            permanent=True,
        )
    raise InferenceError(
        f"The model has no output {name!r}. Its outputs: {known}. Set the output option"
        f" {option!r}.",
        permanent=True,
    )


def shaped(tensor: Tensor, shape: Sequence[int], what: str) -> Tensor:
    """The tensor, if it has this shape (-1: any length), the batch's axis added when it is left
    out for a single picture.
    """
    if tensor.ndim == len(shape) - 1 and shape[0] == 1:
        tensor = tensor[np.newaxis]
    if tensor.ndim != len(shape) or any(
        length not in (-1, given) for length, given in zip(shape, tensor.shape, strict=True)
    ):
        given_shape, wanted = words(tensor.shape), words(shape)
        raise InferenceError(
            f"The model's {what} have the shape {given_shape}; {wanted} is expected for {shape[0]}"
            " picture(s).",
            permanent=True,
        )
    return tensor


def probabilities(scores: Tensor, advice: str) -> Floats:
    """Scores as floats in 0..1; a permanent InferenceError, with the advice, when they are
    something else.
    """
    values = floats(scores, "score")
    if values.size and (values.min() < -TOLERANCE or values.max() > 1 + TOLERANCE):
        extreme = values.max() if values.max() > 1 + TOLERANCE else values.min()
        raise InferenceError(
            f"The model gave the score {extreme:.4g}, which is not in 0 to 1. {advice}",
            permanent=True,
        )
    return np.clip(values, 0.0, 1.0)


def floats(tensor: Tensor, what: str) -> Floats:
    """The tensor as floats; a permanent InferenceError when it holds text, or what is not a
    number (NaN).
    """
    if tensor.dtype.kind not in "fiub":
        raise InferenceError(f"The model gave text where a {what} is expected.", permanent=True)
    values: Floats = tensor.astype(np.float64)
    if np.isnan(values).any():
        raise InferenceError(f"The model gave a {what} that is not a number (NaN).", permanent=True)
    return values


def class_numbers(tensor: Tensor) -> NDArray[np.int64]:
    """Class numbers, which some models give as floats."""
    return np.clip(floats(tensor, "class number"), -LARGEST, LARGEST).astype(np.int64)


def boxed(
    labels: Labels, boxes: Floats, scores: Floats, classes: NDArray[np.int64]
) -> tuple[Detection, ...]:
    """Detections of boxes (K, 4) in 0..1 of the picture; what lies outside it, or has no area,
    is left out.
    """
    kept = zip(
        np.round(boxes, 5).tolist(), np.round(scores, 4).tolist(), classes.tolist(), strict=True
    )
    return tuple(
        Detection(labels.name(number), score, (x0, y0, x1, y1))
        for (x0, y0, x1, y1), score, number in kept
        if x0 < x1 and y0 < y1
    )
