"""YOLO's raw output tensors, as Ultralytics and its relatives export them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.runtimes.adapters import options
from inference.runtimes.adapters.base import (
    LARGEST,
    Floats,
    boxed,
    class_numbers,
    floats,
    pick,
    probabilities,
    shaped,
)
from inference.runtimes.adapters.labels import Labels
from inference.runtimes.errors import InferenceError
from inference.runtimes.options import Options, choice, flag, number, text
from inference.runtimes.placement import Placement
from inference.runtimes.tensors import Tensor
from sightline.messages import Detection

V5: Final = "v5"
V8: Final = "v8"
V10: Final = "v10"
BOX: Final = 4
# Boxes that take part in suppression: its cost grows with their square.
CANDIDATES: Final = 1000
ADVICE: Final = (
    "Check the output option 'version', and that the model was exported with its last activation."
)


class YoloOptions(Options):
    """Which generation the model is of, and what is kept."""

    version: str = choice(
        V8,
        (V5, V8, V10),
        "v5: (N, boxes, 5 + classes) with objectness (also v7); v8: (N, 4 + classes, boxes) (also"
        " v9, 11, 12); v10: (N, boxes, 6), nothing left to suppress (also 26).",
    )
    tensor: str = text("", "The output with the boxes. Empty: the only one.")
    coordinates: str = options.coordinates(options.PIXELS)
    min_score: float = options.min_score(0.25)
    overlap: float = number(
        0.45,
        0.0,
        1.0,
        "Of two boxes of a class that overlap by more than this (IoU), the surer one is kept.",
    )
    across_classes: bool = flag(False, "Suppress overlapping boxes of different classes, too.")
    classes: int = number(
        0,
        0,
        100_000,
        "Number of classes, for models with further values (masks, key points) after them. 0: all"
        " are classes.",
    )
    most: int = options.most(300)
    labels: tuple[str, ...] = options.labels()
    offset: int = options.offset()


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Boxes (K, 4) as x0, y0, x1, y1 in the output's own unit, their scores and classes (K,),
    surest first.
    """

    boxes: Floats
    scores: Floats
    classes: NDArray[np.int64]


class Yolo:
    """Boxes by centre and size (v5, v8) with the best class of each, then suppression within
    each class; or finished ones (v10).
    """

    Options = YoloOptions

    def __init__(self, options: YoloOptions) -> None:
        self._options = options
        self.labels = Labels(options.labels, options.offset)

    def detections(
        self, outputs: Mapping[str, Tensor], placements: Sequence[Placement]
    ) -> list[tuple[Detection, ...]]:
        """The boxes in each picture."""
        tensor = shaped(
            pick(outputs, self._options.tensor, "tensor"), (len(placements), -1, -1), "boxes"
        )
        read = {V5: self._with_objectness, V8: self._by_class, V10: self._finished}[
            self._options.version
        ]
        return [
            self._placed(self._suppressed(read(rows)), placement)
            for rows, placement in zip(tensor, placements, strict=True)
        ]

    def _with_objectness(self, rows: Tensor) -> _Candidates:
        rows = self._oriented(rows, values_first=False, before_classes=BOX + 1)
        objectness = probabilities(rows[:, BOX], ADVICE)
        # A score is objectness times a probability: below the bound already, it needs no look at
        # the classes.
        likely = np.flatnonzero(objectness >= self._options.min_score)
        classes = rows[likely, BOX + 1 :][:, : self._options.classes or None]
        if not classes.shape[1]:
            return self._best(rows[:, :BOX], objectness, np.zeros(len(rows), np.int64))
        best = classes.argmax(axis=1)
        scores = probabilities(classes[np.arange(len(likely)), best], ADVICE) * objectness[likely]
        return self._best(rows[likely, :BOX], scores, best)

    def _by_class(self, rows: Tensor) -> _Candidates:
        values = self._oriented(rows, values_first=True, before_classes=BOX)
        classes = values[BOX:][: self._options.classes or None]
        scores = probabilities(classes.max(axis=0), ADVICE)
        likely = np.flatnonzero(scores >= self._options.min_score)
        return self._best(values[:BOX, likely].T, scores[likely], classes[:, likely].argmax(axis=0))

    def _finished(self, rows: Tensor) -> _Candidates:
        if rows.shape[1] != BOX + 2:
            raise InferenceError(
                f"The model gives {rows.shape[1]} values for a box; YOLO v10's are 6. {ADVICE}",
                permanent=True,
            )
        scores = probabilities(rows[:, BOX], ADVICE)
        order = self._order(scores)
        return _Candidates(
            floats(rows[order, :BOX], "box"), scores[order], class_numbers(rows[order, BOX + 1])
        )

    def _oriented(self, rows: Tensor, *, values_first: bool, before_classes: int) -> Tensor:
        """The rows with values and boxes on the axes of this version, turned if the export has
        them the other way round.
        """
        values, boxes = rows.shape if values_first else rows.shape[::-1]
        wanted = before_classes + len(self.labels.names)
        told_by_labels = self.labels.names and wanted in (values, boxes)
        # Without a hint, there are fewer values for a box than boxes.
        turned = values != wanted if told_by_labels else values > boxes > BOX
        if (boxes if turned else values) <= BOX:
            raise InferenceError(
                f"The model gives {rows.shape[0]} x {rows.shape[1]} values, too few for boxes."
                f" {ADVICE}",
                permanent=True,
            )
        return rows.T if turned else rows

    def _best(self, centred: Tensor, scores: Floats, classes: NDArray[np.int64]) -> _Candidates:
        order = self._order(scores)
        x, y, across, down = np.clip(floats(centred[order], "box"), -LARGEST, LARGEST).T
        boxes = np.stack([x - across / 2, y - down / 2, x + across / 2, y + down / 2], axis=1)
        return _Candidates(boxes, scores[order], classes[order])

    def _order(self, scores: Floats) -> NDArray[np.int64]:
        order = np.argsort(-scores, kind="stable")[:CANDIDATES]
        return np.asarray(order[scores[order] >= self._options.min_score], dtype=np.int64)

    def _suppressed(self, found: _Candidates) -> _Candidates:
        if self._options.version == V10 or not len(found.scores):
            return found
        sized = np.concatenate(
            [found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]], axis=1
        )
        classes = np.zeros_like(found.classes) if self._options.across_classes else found.classes
        # OpenCV's types ask for lists, but it reads arrays, without an object for each number.
        suppress: Any = cv2.dnn.NMSBoxesBatched
        kept = suppress(sized, found.scores, classes.astype(np.int32), 0.0, self._options.overlap)
        order = np.sort(np.ravel(np.asarray(kept, dtype=np.int64)))
        return _Candidates(found.boxes[order], found.scores[order], found.classes[order])

    def _placed(self, found: _Candidates, placement: Placement) -> tuple[Detection, ...]:
        first = slice(self._options.most)
        boxes = placement.to_picture(
            found.boxes[first], self._options.coordinates == options.NORMALISED
        )
        return boxed(self.labels, boxes, found.scores[first], found.classes[first])
