"""Giving dead letters back to a model: records by way of its inputs topic, frames directly."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from cameras.models import Camera
from cameras.sources.credentials import redact_url
from inference import runtimes
from inference.deadletters.letters import Letter, camera_of_frame
from inference.deadletters.reader import ASK_SECONDS, TopicReader
from inference.frames.crops import (
    MAX_CROPS,
    boxed,
    cut,
    placed,
)
from inference.models import Deployment, Kind, ModelVersion, RetriedLetter, Role
from inference.plans import View, version_plans
from inference.runtimes.base import Picture, Runtime
from inference.runtimes.batching import ask
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.kafka import Admin, Headers, KafkaUnavailable, Producer, topics
from sightline.kafka.topics import Topic
from sightline.messages import Detection, Frame, Prediction, Timing
from sightline.messages.json import MessageError

log = logging.getLogger(__name__)

DELIVERY_SECONDS: Final = 10.0
NAMED_DETECTIONS: Final = 5
SEARCHED_PREDICTIONS: Final = 5000
MILLISECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RetryOutcome:
    """How a retry went, in plain words. ``detections``: what the model saw in a frame.
    ``halts``: others would fail in the same way now.
    """

    succeeded: bool
    detail: str
    detections: tuple[Detection, ...] = ()
    halts: bool = False


class RetryError(Exception):
    """A letter could not be retried, in one plain sentence."""

    def __init__(self, message: str, *, halts: bool = False) -> None:
        super().__init__(message)
        self.halts = halts


class Retrier:
    """Gives letters to one model version. A context manager: what runs the model is loaded with
    the first frame and kept until the end.
    """

    def __init__(self, target: ModelVersion) -> None:
        self.target = target
        self.producer = Producer(acks="all")
        self.admin = Admin()
        self._runtime: Runtime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._runtime is not None:
            self._runtime.close()
        self.producer.flush(1)

    def retry(self, letter: Letter, edited: bytes | None = None) -> RetryOutcome:
        """Give one letter back, with another value if it was ``edited``; nothing is raised."""
        camera = camera_of_frame(letter.why.topic)
        try:
            return (
                self._frame(letter, camera)
                if camera
                else self._record(letter, letter.record.value if edited is None else edited)
            )
        except RetryError as err:
            return RetryOutcome(False, redact_url(str(err)), halts=err.halts)
        except KafkaUnavailable as err:
            return RetryOutcome(False, str(err), halts=True)

    # Records

    def _record(self, letter: Letter, value: bytes | None) -> RetryOutcome:
        model = self.target.model
        topic = topics.inputs(model.slug, self.target.version, model.partitions)
        self.admin.ensure([topic])
        partitions = self.admin.partitions(ASK_SECONDS).get(topic.name, 1)
        partition = letter.why.partition if 0 <= letter.why.partition < partitions else 0
        self._deliver(topic, value, letter.record.key, letter.retry_headers, partition)
        if self._takes_records:
            return RetryOutcome(True, f"Sent to {topic.name}.")
        return RetryOutcome(
            True,
            f"Sent to {topic.name}. No enabled deployment takes its records: they wait there until"
            " one does.",
        )

    @cached_property
    def _takes_records(self) -> bool:
        return Deployment.objects.filter(
            version=self.target, enabled=True, kind=Kind.RECORDS
        ).exists()

    def _deliver(
        self,
        topic: Topic,
        value: bytes | None,
        key: str | bytes | None,
        headers: Headers,
        partition: int,
    ) -> None:
        reports: list[str] = []
        queued = self.producer.send(
            topic, value, key=key, headers=headers, partition=partition, on_delivery=reports.append
        )
        if queued:
            self.producer.flush(DELIVERY_SECONDS)
        if reports == [""]:
            return
        self.admin.partitions(ASK_SECONDS)  # KafkaUnavailable when that is the reason
        reason = self.producer.last_error if reports or not queued else "no answer"
        raise RetryError(f"Kafka does not take it into {topic.name}: {reason}.")

    # Frames

    def _frame(self, letter: Letter, camera: str) -> RetryOutcome:
        record = letter.record
        try:
            frame = Frame.from_record(camera, record.value, record.header_map, letter.why.offset)
        except MessageError as err:
            raise RetryError(f"It cannot be given to a model: {err}.") from err
        runtime = self._loaded()
        view = self._views.get(camera, View(Role.SHADOW, 0.0))
        consumed_at = time.time_ns()
        picture = Picture(frame)
        detections = tuple(
            item
            for item in self._seen(runtime, frame, picture, view)
            if item.score >= view.threshold
        )
        timing = Timing(consumed_at, consumed_at, time.time_ns())
        model, version = self.target.model.slug, self.target.version
        published = self._publish(
            Prediction(
                camera, model, version, view.role, picture.sized(frame.ref), detections, timing
            )
        )
        return RetryOutcome(True, f"The model sees {_named(detections)}. {published}", detections)

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

    def _seen(
        self, runtime: Runtime, frame: Frame, whole: Picture, view: View
    ) -> Iterator[Detection]:
        if not view.crops_of:
            yield from _answered(runtime, [whole])[0]
            return
        try:
            crops = cut(
                whole, frame.ref, boxed(_first_stage(frame, view.crops_of), view.crop_label)
            )
        except InferenceError as err:
            raise RetryError(str(err)) from err
        for seen, crop in zip(
            _answered(runtime, [crop.picture for crop in crops]), crops, strict=True
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
        self.admin.ensure([topic])
        self._deliver(topic, value, prediction.key, (), 0)
        return f"Published to {topic.name}."


def retry_each(
    version: ModelVersion,
    target: ModelVersion,
    letters: Iterable[Letter],
    *,
    by: int | None,
    again: bool,
) -> Generator[tuple[Letter, RetryOutcome], None, None]:
    """Give letters of ``version`` to ``target``, each marked as retried by the user with the key
    ``by``; ends early when going on is of no use.

    What another is at, and without ``again`` what was retried with success before, is left out.
    """
    RetriedLetter.forget_old()
    topic = topics.errors(version.model.slug, version.version).name
    with Retrier(target) as retrier:
        for letter in letters:
            row = RetriedLetter.claim(
                version.pk, topic, letter.summary.id, by=by, against=str(target), again=again
            )
            if row is None:
                continue
            outcome = retrier.retry(letter)
            row.settle(succeeded=outcome.succeeded, detail=outcome.detail)
            yield letter, outcome
            if outcome.halts:
                log.warning(
                    "retry of dead letters halted model=%s detail=%s", target, outcome.detail
                )
                return


def retry_one(
    version: ModelVersion,
    target: ModelVersion,
    letter: Letter,
    *,
    by: int | None,
    edited: bytes | None = None,
) -> RetryOutcome | None:
    """Give one letter to ``target``, with another value if it was ``edited``; None when another
    is at it.
    """
    topic = topics.errors(version.model.slug, version.version).name
    row = RetriedLetter.claim(
        version.pk, topic, letter.summary.id, by=by, against=str(target), again=True
    )
    if row is None:
        return None
    with Retrier(target) as retrier:
        outcome = retrier.retry(letter, edited)
    row.settle(succeeded=outcome.succeeded, detail=outcome.detail)
    return outcome


def _answered(runtime: Runtime, pictures: Sequence[Picture]) -> list[tuple[Detection, ...]]:
    seen: list[tuple[Detection, ...]] = []
    for answer in ask(runtime, pictures, MAX_CROPS):
        if isinstance(answer, BaseException):
            raise RetryError(
                _sentence(answer), halts=isinstance(answer, ServerUnavailable)
            ) from answer
        seen.append(answer)
    return seen


def _first_stage(frame: Frame, key: str) -> tuple[Detection, ...]:
    """What the first stage ``model@version`` once said of the frame; RetryError when that cannot
    be found any more.
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
    return (
        prediction
        if (prediction.frame.seq, prediction.frame.captured_at) == (frame.seq, frame.captured_at)
        else None
    )


def _named(detections: Sequence[Detection]) -> str:
    if not detections:
        return "nothing"
    best = sorted(detections, key=lambda item: item.score, reverse=True)
    named = ", ".join(f"{item.label} {item.score:.2f}" for item in best[:NAMED_DETECTIONS])
    return (
        named
        if len(best) <= NAMED_DETECTIONS
        else f"{named} and {len(best) - NAMED_DETECTIONS} more"
    )


def _sentence(err: BaseException) -> str:
    return str(err) if isinstance(err, InferenceError) else f"{type(err).__name__}: {err}"
