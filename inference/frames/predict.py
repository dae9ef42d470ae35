"""Predicts on frames: live ones and retried dead letters take the same way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from inference.frames.crops import Crop, cut, placed
from inference.frames.latest import WaitingFrame
from inference.plans import CameraDeployment
from inference.runtimes.base import Decoding, Picture, Runtime
from inference.runtimes.batching import Result, detections_of
from inference.runtimes.guard import guarded
from sightline.messages import Detection, FrameRef, Prediction, Timing


@dataclass(frozen=True, slots=True)
class PreparedFrame:
    """A frame ready for the model: its picture, or the crops that a second stage sees.

    ``ref`` has the picture's own size, which the record's headers may get wrong.
    """

    waiting: WaitingFrame
    ref: FrameRef
    deployment: CameraDeployment
    pictures: tuple[Picture, ...]
    crops: tuple[Crop, ...] = ()


def prepare(
    waiting: WaitingFrame, deployment: CameraDeployment, decodings: tuple[Decoding, ...] = ()
) -> PreparedFrame:
    """Decode a frame in advance, as the model wanted the last one, or cut out what a first stage
    found; InferenceError when it cannot be cut.
    """
    picture = Picture(waiting.frame)
    ref = picture.sized(waiting.frame.ref)
    if not deployment.crops_of:
        picture.prepare(decodings)
        return PreparedFrame(waiting, ref, deployment, (picture,))
    crops = tuple(cut(picture, ref, waiting.found))
    return PreparedFrame(waiting, ref, deployment, tuple(crop.picture for crop in crops), crops)


def predict(
    runtime: Runtime, frames: Sequence[PreparedFrame], model: str, version: str, limit: int
) -> list[Result[Prediction]]:
    """The prediction on each frame, in order, or the error that there is instead.

    At most ``limit`` pictures go into one call. A frame without pictures, in which a first stage
    found nothing, gets a prediction without detections.
    """
    started_at = time.time_ns()
    pictures = [picture for frame in frames for picture in frame.pictures]
    results = iter(detections_of(runtime, pictures, limit))
    finished_at = time.time_ns()
    return [
        _prediction(
            frame,
            list(islice(results, len(frame.pictures))),
            model,
            version,
            started_at,
            finished_at,
        )
        for frame in frames
    ]


def _prediction(
    frame: PreparedFrame,
    results: list[Result[tuple[Detection, ...]]],
    model: str,
    version: str,
    started_at: int,
    finished_at: int,
) -> Result[Prediction]:
    for result in results:
        if isinstance(result, BaseException):
            return result
    threshold = frame.deployment.threshold
    try:
        with guarded():
            detections = tuple(
                item for item in _detections(frame, results) if item.score >= threshold
            )
    except Exception as err:  # noqa: BLE001 - a model may give anything
        return err
    return Prediction(
        camera=frame.waiting.frame.camera,
        model=model,
        version=version,
        role=frame.deployment.role,
        frame=frame.ref,
        predictions=detections,
        timing=Timing(frame.waiting.consumed_at, started_at, finished_at),
    )


def _detections(
    frame: PreparedFrame, results: list[Result[tuple[Detection, ...]]]
) -> Iterator[Detection]:
    for number, detections in enumerate(results):
        if isinstance(detections, tuple):
            yield from placed(detections, frame.crops[number]) if frame.crops else detections
