"""Boxes, classes and scores in tensors of their own, as detectors with suppression built in
answer (TensorFlow's Object Detection, torchvision).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inference.runtimes.adapters import options
from inference.runtimes.adapters.base import (
    Floats,
    boxed,
    class_numbers,
    floats,
    pick,
    probabilities,
    shaped,
)
from inference.runtimes.adapters.labels import Labels
from inference.runtimes.options import Options, choice, text
from inference.runtimes.placement import Placement
from inference.runtimes.tensors import Tensor
from sightline.messages import Detection

YXYX: Final = "yxyx"
ADVICE: Final = "Set the output option 'scores' to the output that holds probabilities."


class SsdOptions(Options):
    """Which outputs are read, and how."""

    boxes: str = text("detection_boxes", "The output with the boxes (N, K, 4).")
    scores: str = text("detection_scores", "The output with the scores (N, K).")
    classes: str = text(
        "detection_classes", "The output with the class numbers (N, K). Empty: all are of class 0."
    )
    count: str = text(
        "num_detections",
        "The output with the number of boxes that count (N). Used when the model has it.",
    )
    coordinates: str = options.coordinates(options.NORMALISED)
    order: str = choice(
        YXYX,
        (YXYX, "xyxy"),
        "Order of a box's numbers: top, left, bottom, right (yxyx) or left, top, right, bottom"
        " (xyxy).",
    )
    min_score: float = options.min_score(0.5)
    most: int = options.most(100)
    labels: tuple[str, ...] = options.labels()
    offset: int = options.offset()


class Ssd:
    """Detections whose overlaps the model itself has sorted out."""

    Options = SsdOptions

    def __init__(self, options: SsdOptions) -> None:
        self._options = options
        self.labels = Labels(options.labels, options.offset)

    def detections(
        self, outputs: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[tuple[Detection, ...]]:
        """The boxes in each picture."""
        pictures = len(placements)
        boxes = shaped(pick(outputs, self._options.boxes, "boxes"), (pictures, -1, 4), "boxes")
        found = boxes.shape[1]
        scores = probabilities(
            shaped(pick(outputs, self._options.scores, "scores"), (pictures, found), "scores"),
            ADVICE,
        )
        classes = self._classes(outputs, (pictures, found))
        counts = self._counts(outputs, pictures, found)
        return [
            self._read(
                floats(boxes[index, :count], "box"),
                scores[index, :count],
                classes[index, :count],
                placements[index],
            )
            for index, count in enumerate(counts)
        ]

    def _classes(self, outputs: Mapping[str, Tensor], shape: tuple[int, int]) -> NDArray[np.int64]:
        if not self._options.classes:
            return np.zeros(shape, np.int64)
        return class_numbers(
            shaped(pick(outputs, self._options.classes, "classes"), shape, "class numbers")
        )

    def _counts(self, outputs: Mapping[str, Tensor], pictures: int, found: int) -> list[int]:
        if self._options.count not in outputs:
            return [found] * pictures
        counts = outputs[self._options.count]
        flat = shaped(counts.reshape(-1), (pictures,), "numbers of detections")
        return [int(count) for count in np.clip(floats(flat, "number of detections"), 0, found)]

    def _read(
        self, boxes: Floats, scores: Floats, classes: NDArray[np.int64], placement: Placement
    ) -> tuple[Detection, ...]:
        best = np.argsort(-scores, kind="stable")
        best = best[scores[best] >= self._options.min_score][: self._options.most]
        corners = boxes[best][:, [1, 0, 3, 2]] if self._options.order == YXYX else boxes[best]
        placed = placement.to_picture(corners, self._options.coordinates == options.NORMALISED)
        return boxed(self.labels, placed, scores[best], classes[best])
