"""One label, or a few, for the whole picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from inference.runtimes.adapters import options
from inference.runtimes.adapters.base import (
    Floats,
    floats,
    pick,
    probabilities,
    shaped,
)
from inference.runtimes.adapters.labels import Labels
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import Options, choice, number, text
from inference.runtimes.placement import Placement
from inference.runtimes.shapes import words
from inference.runtimes.tensors import Tensor
from sightline.messages import Detection

PROBABILITIES: Final = "probabilities"
SOFTMAX: Final = "softmax"
SIGMOID: Final = "sigmoid"
ADVICE: Final = (
    "If the model gives logits, set the output option 'scores' to softmax, or to sigmoid where"
    " labels do not exclude each other."
)


class ClassificationOptions(Options):
    """How scores are read."""

    tensor: str = text(
        "", "The output with the scores. Empty: the only one, or the only one with fractions."
    )
    scores: str = choice(
        PROBABILITIES,
        (PROBABILITIES, SOFTMAX, SIGMOID),
        "What the model gives: probabilities, or logits that become some by softmax (one class is"
        " right) or sigmoid (several may be).",
    )
    top: int = number(1, 1, 100, "How many of the surest classes are given.")
    min_score: float = options.min_score(0.0)
    labels: tuple[str, ...] = options.labels()
    offset: int = options.offset()


class Classification:
    """The surest classes of a tensor of scores (N, classes); axes of length 1 after the batch's may
    stand anywhere.

    An output of whole numbers (N,) is taken as the class itself, and one of texts as the label
    itself, both with the score 1.
    """

    Options = ClassificationOptions

    def __init__(self, options: ClassificationOptions) -> None:
        self._options = options
        self.labels = Labels(options.labels, options.offset)

    def detections(
        self, outputs: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[tuple[Detection, ...]]:
        """The surest classes of each picture."""
        tensor = _squeezed(self._pick(outputs), len(placements))
        if tensor.shape[1] == 1 and tensor.dtype.kind in "iu":
            return [(Detection(self.labels.name(number), 1.0),) for number in tensor[:, 0].tolist()]
        if tensor.shape[1] == 1 and tensor.dtype.kind in "OSU":
            return [(Detection(_decoded(label), 1.0),) for label in tensor[:, 0].tolist()]
        return [self._best(row) for row in self._probabilities(tensor)]

    def _pick(self, outputs: Mapping[str, Tensor]) -> Tensor:
        fractions = [tensor for tensor in outputs.values() if tensor.dtype.kind == "f"]
        if not self._options.tensor and len(fractions) == 1:
            return fractions[0]
        return pick(outputs, self._options.tensor, "tensor")

    def _probabilities(self, tensor: Tensor) -> Floats:
        if self._options.scores == SOFTMAX:
            return softmax(floats(tensor, "score"))
        if self._options.scores == SIGMOID:
            return np.asarray(0.5 * (1.0 + np.tanh(0.5 * floats(tensor, "score"))))
        return probabilities(tensor, ADVICE)

    def _best(self, scores: Floats) -> tuple[Detection, ...]:
        best = np.argsort(-scores, kind="stable")[: self._options.top].tolist()
        return tuple(
            Detection(self.labels.name(number), round(float(scores[number]), 4))
            for number in best
            if scores[number] >= self._options.min_score
        )


def softmax(logits: Floats) -> Floats:
    """exp(x) / sum(exp(x)) over the last axis."""
    finite = np.clip(logits, -1e30, 1e30)
    powers = np.exp(finite - finite.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _squeezed(tensor: Tensor, pictures: int) -> Tensor:
    """(N, classes) from any shape whose other axes have length 1; (classes,) is that of a single
    picture, (N,) one value for each.
    """
    if not tensor.size:
        raise InferenceError(
            f"The model gave no scores: the output has the shape {words(tensor.shape)}.",
            permanent=True,
        )
    if tensor.ndim == 1 and pictures == 1 and tensor.size != 1:
        return tensor[np.newaxis]
    long = [length for length in tensor.shape[1:] if length != 1]
    if not tensor.ndim or tensor.shape[0] != pictures or len(long) > 1:
        return shaped(tensor, (pictures, -1), "scores")
    return tensor.reshape(pictures, -1)


def _decoded(label: object) -> str:
    if not isinstance(label, bytes | str):
        raise InferenceError("The model's labels are neither text nor numbers.", permanent=True)
    return label.decode(errors="replace") if isinstance(label, bytes) else label
