"""A class number and the probabilities of all classes, as image classifiers exported from Keras
and Estimators often answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from inference.runtimes.adapters import options
from inference.runtimes.adapters.base import (
    Floats,
    class_numbers,
    pick,
    probabilities,
    shaped,
)
from inference.runtimes.adapters.labels import Labels
from inference.runtimes.options import Options, number, text
from inference.runtimes.placement import Placement
from inference.runtimes.tensors import Tensor
from sightline.messages import Detection

ADVICE: Final = "Set the output option 'probabilities' to the output that holds some."


class SeedOptions(Options):
    """Which outputs are read, and how."""

    classes: str = text("classes", "The output with the class number.")
    probabilities: str = text("probabilities", "The output with the probabilities of all classes.")
    top: int = number(
        1, 1, 100, "How many classes are given: the one named by the model, then the next probable."
    )
    min_score: float = options.min_score(0.0)
    labels: tuple[str, ...] = options.labels()
    offset: int = options.offset(-1)


class Seed:
    """``{"classes": N, "probabilities": [...]}``: the label is labels[N - 1], because such models
    count from 1.

    The score is the probability of class N, whether the probabilities begin with class 0 or
    class 1: N is where the largest stands.
    """

    Options = SeedOptions

    def __init__(self, options: SeedOptions) -> None:
        self._options = options
        self.labels = Labels(options.labels, options.offset)

    def detections(
        self, outputs: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[tuple[Detection, ...]]:
        """The class of each picture, and the next probable ones."""
        pictures = len(placements)
        classes = shaped(
            _flat(pick(outputs, self._options.classes, "classes"), pictures),
            (pictures,),
            "class numbers",
        )
        scores = shaped(
            pick(outputs, self._options.probabilities, "probabilities"),
            (pictures, -1),
            "probabilities",
        )
        numbers = class_numbers(classes).tolist()
        return [
            self._best(number, row)
            for number, row in zip(numbers, probabilities(scores, ADVICE), strict=True)
        ]

    def _best(self, number: int, scores: Floats) -> tuple[Detection, ...]:
        first = _first_class(number, scores)
        order = (np.argsort(-scores, kind="stable") + first).tolist()
        numbers = [number, *(other for other in order if other != number)][: self._options.top]
        found = (
            (other, float(scores[other - first]) if 0 <= other - first < len(scores) else 0.0)
            for other in numbers
        )
        return tuple(
            Detection(self.labels.name(other), round(score, 4))
            for other, score in found
            if score >= self._options.min_score
        )


def _first_class(number: int, scores: Floats) -> int:
    """The class number of the first probability: 1 when the largest says so, else 0."""
    largest = scores.max(initial=0.0)
    counts_from_one = 1 <= number <= len(scores) and scores[number - 1] == largest
    return 1 if counts_from_one and not (number < len(scores) and scores[number] == largest) else 0


def _flat(tensor: Tensor, pictures: int) -> Tensor:
    return tensor.reshape(pictures) if tensor.size == pictures else tensor
