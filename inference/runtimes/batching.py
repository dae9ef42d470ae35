"""Asking a model, so that one bad picture costs only itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from inference.runtimes.base import Picture, Runtime
from inference.runtimes.errors import InferenceError, ServerUnavailable
from sightline.messages import Detection

Answer = tuple[Detection, ...] | BaseException


def ask(runtime: Runtime, pictures: Sequence[Picture], most: int) -> list[Answer]:
    """For each picture, in order, what the model sees or why it does not; at most ``most`` pictures
    go into one call.

    A batch that fails is asked again one by one. A server that is away is not asked again: the
    rest shares its error.
    """
    answers: list[Answer] = []
    for start in range(0, len(pictures), most):
        answers += _together(runtime, pictures[start : start + most])
        if isinstance(answers[-1], ServerUnavailable):
            break
    return _filled(answers, len(pictures))


def _together(runtime: Runtime, batch: Sequence[Picture]) -> list[Answer]:
    try:
        return _checked(runtime.predict(batch), len(batch))
    except ServerUnavailable as err:
        return [err] * len(batch)
    except (Exception, SystemExit) as err:  # noqa: BLE001 - a model may raise anything; whatever it is, it costs these pictures only
        return [err] if len(batch) == 1 else _one_by_one(runtime, batch)


def _one_by_one(runtime: Runtime, batch: Sequence[Picture]) -> list[Answer]:
    answers: list[Answer] = []
    for picture in batch:
        answers += _together(runtime, [picture])
        if isinstance(answers[-1], ServerUnavailable):
            break
    return _filled(answers, len(batch))


def _filled(answers: list[Answer], count: int) -> list[Answer]:
    """As many answers as pictures: the last one, a server's absence, stands for those that were
    not asked.
    """
    return answers + answers[-1:] * (count - len(answers))


def _checked(seen: Sequence[tuple[Detection, ...]], count: int) -> list[Answer]:
    if len(seen) != count:
        raise InferenceError(
            f"The model gave {len(seen)} answers for {count} pictures.", permanent=True
        )
    return [_finite(detections) for detections in seen]


def _finite(detections: tuple[Detection, ...]) -> Answer:
    if not all(math.isfinite(item.score) for item in detections):
        return InferenceError("The model gave a score that is not a number.", permanent=False)
    if not all(math.isfinite(side) for item in detections for side in item.box or ()):
        return InferenceError("The model gave a box that is not made of numbers.", permanent=False)
    return tuple(detections)
