"""Second stages: the boxes of one model become the pictures of another."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from inference.runtimes.base import Image, Picture
from inference.runtimes.boxes import clipped
from sightline.messages import Box, Detection, FrameRef

MARGIN: Final = 0.1
MAX_CROPS: Final = 64


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a frame: the detection there, and the ``area`` (0..1) that was cut out, a little
    larger than the detection's box.
    """

    found: Detection
    area: Box
    picture: Picture


def boxed(found: Sequence[Detection], label: str) -> list[Detection]:
    """The detections that can be cut out, only those with ``label`` if it is not ""; of too many,
    those with the highest scores.
    """
    candidates = [
        item
        for item in found
        if item.box is not None and clipped(item.box) is not None and label in ("", item.label)
    ]
    if len(candidates) <= MAX_CROPS:
        return candidates
    return heapq.nlargest(MAX_CROPS, candidates, key=lambda item: item.score)


def cut(whole: Picture, frame: FrameRef, found: Sequence[Detection]) -> list[Crop]:
    """The crops of a picture; InferenceError when it cannot be decoded. It is not decoded when
    there is nothing to cut.
    """
    if not found:
        return []
    image = whole.bgr()
    return [_crop(image, whole.camera, frame, item) for item in found]


def placed(detections: Sequence[Detection], crop: Crop) -> tuple[Detection, ...]:
    """The detections in a crop as detections in the whole frame: at the box of the first stage, or
    within it where the second stage gives boxes.
    """
    return tuple(_placed(item, crop) for item in detections)


def _crop(image: Image, camera: str, frame: FrameRef, found: Detection) -> Crop:
    assert found.box is not None
    height, width = image.shape[:2]
    left, right = _span(found.box[0], found.box[2], width)
    top, bottom = _span(found.box[1], found.box[3], height)
    # A contiguous copy, which does not keep the whole frame in memory.
    part = image[top:bottom, left:right].copy()
    area = (left / width, top / height, right / width, bottom / height)
    return Crop(found, area, Picture.of_array(part, camera, frame))


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """First and last pixel with the margin: inside the picture, and one pixel at least."""
    low, high = max(low, 0.0), min(high, 1.0)
    margin = (high - low) * MARGIN
    start = min(int(max(low - margin, 0.0) * size), size - 1)
    return start, max(start + 1, min(size, round((high + margin) * size)))


def _placed(detection: Detection, crop: Crop) -> Detection:
    track = crop.found.track if detection.track is None else detection.track
    if detection.box is None:
        return replace(detection, box=crop.found.box, track=track)
    left, top, right, bottom = crop.area
    x0, y0, x1, y1 = detection.box
    across, down = right - left, bottom - top
    return replace(
        detection,
        box=(left + x0 * across, top + y0 * down, left + x1 * across, top + y1 * down),
        track=track,
    )
