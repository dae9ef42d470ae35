"""Retrying frames: the model is run on them, and what it sees is published."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from cameras.models import Camera
from inference.deadletters.letters import Letter
from inference.deadletters.sender import RetryError, RetrySender
from inference.frames.crops import MAX_CROPS, boxed
from inference.frames.latest import WaitingFrame
from inference.frames.predict import predict, prepare
from inference.models import ModelVersion, Role
from inference.plans import CameraDeployment, FramePlan, frame_plans
from inference.runner.loading import LoadError, loaded
from inference.runtimes.base import Runtime
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.kafka import topics
from sightline.kafka.reader import TopicReader
from sightline.messages import Detection, Frame, Prediction
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
        """Predict on a frame, as the live pipeline does, and publish the prediction; returns what
        was done.
        """
        record = letter.record
        try:
            frame = Frame.from_record(
                letter.camera, record.value, record.header_map, letter.why.offset
            )
        except MessageError as err:
            raise RetryError(f"It cannot be given to a model: {err}.") from err
        runtime = self._loaded()
        plan = self._plan
        deployment = plan.by_camera.get(letter.camera, CameraDeployment(Role.SHADOW, 0.0))
        found = _first_stage(frame, deployment) if deployment.crops_of else ()
        waiting = WaitingFrame(frame, record, time.time_ns(), found)
        try:
            prepared = prepare(waiting, deployment)
        except InferenceError as err:
            raise RetryError(str(err)) from err
        [prediction] = predict(runtime, [prepared], plan.model, plan.version, MAX_CROPS)
        if isinstance(prediction, BaseException):
            is_away = isinstance(prediction, ServerUnavailable)
            raise RetryError(_sentence(prediction), halts=is_away) from prediction
        return f"The model sees {_named(prediction.predictions)}. {self._publish(prediction)}"

    def _loaded(self) -> Runtime:
        if self._runtime is None:
            try:
                self._runtime = loaded(self._plan.create)
            except LoadError as err:
                log.info("model does not load for a retry model=%s", self.target)
                raise RetryError(f"The model does not load. {err.reason}", halts=True) from err
        return self._runtime

    @cached_property
    def _plan(self) -> FramePlan:
        """The version as it is deployed; one that is not deployed sees no camera."""
        plan = FramePlan.of_version(self.target, deployments=())
        return frame_plans(disabled_cameras=True).get(plan.key, plan)

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


def _first_stage(frame: Frame, deployment: CameraDeployment) -> tuple[Detection, ...]:
    """The boxes that the first stage found in the frame; RetryError when its prediction is not kept
    any more.
    """
    key = deployment.crops_of
    with TopicReader(topics.predictions(frame.camera)) as reader:
        left = SEARCHED_PREDICTIONS
        for _, records in reader.backwards():
            for record in records:
                left -= 1
                if record.key == key.encode() and (found := _prediction_of(frame, record.value)):
                    return tuple(boxed(found.predictions, deployment.crop_label))
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
