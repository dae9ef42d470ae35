"""Retrying frames: the model is run on them, and what it sees is published."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from cameras.models import Camera
from inference import runtimes
from inference.deadletters.letters import Letter
from inference.deadletters.reader import TopicReader
from inference.deadletters.sender import RetryError, RetrySender
from inference.frames.crops import MAX_CROPS, boxed, cut, placed
from inference.models import ModelVersion, Role
from inference.plans import View, version_plans
from inference.runtimes.base import Picture, Runtime
from inference.runtimes.batching import detections_of
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.kafka import topics
from sightline.messages import Detection, Frame, Prediction, Timing
from sightline.messages.json import MessageError

log = logging.getLogger(__name__)

NAMED_DETECTIONS: Final = 5
SEARCHED_PREDICTIONS: Final = 5000
MILLISECOND: Final = 1_000_000


class FrameRetry:
    """Runs one model version on frames. Loads it with the first one."""

    def __init__(self, target: ModelVersion, sender: RetrySender) -> None:
        self.target = target
        self.sender = sender
        self._runtime: Runtime | None = None

    def close(self) -> None:
        if self._runtime is not None:
            self._runtime.close()

    def predict(self, letter: Letter) -> str:
        """Predict on a frame and publish the prediction; returns what was done."""
        try:
            frame = Frame.from_record(
                letter.camera, letter.record.value, letter.record.header_map, letter.why.offset
            )
        except MessageError as err:
            raise RetryError(f"It cannot be given to a model: {err}.") from err
        runtime = self._loaded()
        view = self._views.get(letter.camera, View(Role.SHADOW, 0.0))
        consumed_at = time.time_ns()
        picture = Picture(frame)
        detections = tuple(
            item
            for item in self._detections(runtime, frame, picture, view)
            if item.score >= view.threshold
        )
        prediction = Prediction(
            letter.camera,
            self.target.model.slug,
            self.target.version,
            view.role,
            picture.sized(frame.ref),
            detections,
            Timing(consumed_at, consumed_at, time.time_ns()),
        )
        return f"The model sees {_named(detections)}. {self._publish(prediction)}"

    def _loaded(self) -> Runtime:
        if self._runtime is None:
            version = self.target
            try:
                runtime = runtimes.create(
                    version.runtime,
                    version.options,
                    file=Path(version.file.path) if version.file else None,
                )
                runtime.load()
            except (Exception, SystemExit) as err:
                log.info(
                    "model does not load for a retry model=%s",
                    version,
                    exc_info=not isinstance(err, InferenceError),
                )
                raise RetryError(f"The model does not load. {_sentence(err)}", halts=True) from err
            self._runtime = runtime
        return self._runtime

    @cached_property
    def _views(self) -> dict[str, View]:
        """How the version is deployed, by camera."""
        plan = version_plans(disabled_cameras=True).get(
            f"{self.target.model.slug}@{self.target.version}"
        )
        return plan.view_of if plan else {}

    def _detections(
        self, runtime: Runtime, frame: Frame, whole: Picture, view: View
    ) -> Iterator[Detection]:
        if not view.crops_of:
            yield from _predicted(runtime, [whole])[0]
            return
        try:
            crops = cut(
                whole, frame.ref, boxed(_first_stage(frame, view.crops_of), view.crop_label)
            )
        except InferenceError as err:
            raise RetryError(str(err)) from err
        for seen, crop in zip(
            _predicted(runtime, [crop.picture for crop in crops]), crops, strict=True
        ):
            yield from placed(seen, crop)

    def _publish(self, prediction: Prediction) -> str:
        if not Camera.objects.filter(slug=prediction.camera).exists():
            return (
                f"The camera {prediction.camera} is not there any more, so this is not published."
            )
        topic = topics.predictions(prediction.camera)
        try:
            value = prediction.to_json()
        except (TypeError, ValueError) as err:
            raise RetryError(f"What the model gives cannot be published. {_sentence(err)}") from err
        self.sender.send(topic, value, key=prediction.key)
        return f"Published to {topic.name}."


def _predicted(runtime: Runtime, pictures: Sequence[Picture]) -> list[tuple[Detection, ...]]:
    predicted: list[tuple[Detection, ...]] = []
    for answer in detections_of(runtime, pictures, MAX_CROPS):
        if isinstance(answer, BaseException):
            raise RetryError(
                _sentence(answer), halts=isinstance(answer, ServerUnavailable)
            ) from answer
        predicted.append(answer)
    return predicted


def _first_stage(frame: Frame, key: str) -> tuple[Detection, ...]:
    """What the first stage ``model@version`` found in the frame; RetryError when its prediction is
    not kept any more.
    """
    with TopicReader(topics.predictions(frame.camera)) as reader:
        left = SEARCHED_PREDICTIONS
        for _, records in reader.backwards(0, reader.end().get(0, 0)):
            for record in records:
                left -= 1
                if record.key == key.encode() and (found := _prediction_of(frame, record.value)):
                    return found.predictions
                too_old = record.timestamp < frame.captured_at // MILLISECOND
            if left <= 0 or too_old:
                break
    raise RetryError(
        f"The model sees only what {key} finds, and what that found in this frame is not kept any"
        " more."
    )


def _prediction_of(frame: Frame, value: bytes | None) -> Prediction | None:
    try:
        prediction = Prediction.from_json(value)
    except MessageError:
        return None
    same = (prediction.frame.seq, prediction.frame.captured_at) == (frame.seq, frame.captured_at)
    return prediction if same else None


def _named(detections: Sequence[Detection]) -> str:
    if not detections:
        return "nothing"
    best = sorted(detections, key=lambda item: item.score, reverse=True)
    named = ", ".join(f"{item.label} {item.score:.2f}" for item in best[:NAMED_DETECTIONS])
    more = len(best) - NAMED_DETECTIONS
    return f"{named} and {more} more" if more > 0 else named


def _sentence(err: BaseException) -> str:
    return str(err) if isinstance(err, InferenceError) else f"{type(err).__name__}: {err}"
