"""Predicts on several items, so that a bad one costs only itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

from inference.runtimes.base import Picture, Runtime
from inference.runtimes.errors import InferenceError, ServerUnavailable
from inference.runtimes.guard import guarded
from sightline.messages import Detection

Item = TypeVar("Item")
Value = TypeVar("Value")
Result: TypeAlias = Value | BaseException


def results_of(
    predict: Callable[[Sequence[Item]], Sequence[Result[Value]]],
    items: Sequence[Item],
    what: str,
    *,
    limit: int = 0,
    again: Callable[[int], Item] | None = None,
) -> list[Result[Value]]:
    """The result of each item, in order: what ``predict`` gives for it, or an error.

    At most ``limit`` items go into one call (0 = all); errors name them as ``what``. When a batch
    fails, each of its items is tried alone, so that its result does not depend on its neighbours.
    A server that is away is not called again: the remaining items share its error. ``again`` gives
    the item of an index unchanged, for models that change their input.
    """
    results: list[Result[Value]] = []
    size = limit or max(len(items), 1)
    for start in range(0, len(items), size):
        results += _batch_results(predict, items[start : start + size], what, start, again)
        if isinstance(results[-1], ServerUnavailable):
            return _filled(results, len(items))
    return results


def _batch_results(
    predict: Callable[[Sequence[Item]], Sequence[Result[Value]]],
    batch: Sequence[Item],
    what: str,
    start: int,
    again: Callable[[int], Item] | None,
) -> list[Result[Value]]:
    try:
        with guarded():
            # A copy: a model may empty the very list that it is given.
            results = list(predict(list(batch)))
        if len(results) == len(batch):
            return results
        raise InferenceError(
            f"The model gave {len(results)} results for {len(batch)} {what}.", permanent=True
        )
    except ServerUnavailable as err:
        return [err] * len(batch)
    except Exception as err:  # noqa: BLE001 - a model may raise anything
        if len(batch) == 1:
            return [err]
    alone: list[Result[Value]] = []
    for index, item in enumerate(batch, start):
        alone += _batch_results(predict, [again(index) if again else item], what, index, again)
        if isinstance(alone[-1], ServerUnavailable):
            break
    return _filled(alone, len(batch))


def _filled(results: list[Any], count: int) -> list[Any]:
    """As many results as items: the last one, that the server is away, stands for the rest."""
    return results + results[-1:] * (count - len(results))


def detections_of(
    runtime: Runtime, pictures: Sequence[Picture], limit: int
) -> list[Result[tuple[Detection, ...]]]:
    """The detections in each picture, in order, or an error; see ``results_of``."""

    def predict(batch: Sequence[Picture]) -> list[Result[tuple[Detection, ...]]]:
        return [_finite(detections) for detections in runtime.predict(batch)]

    return results_of(predict, pictures, "pictures", limit=limit)


def _finite(detections: Sequence[Detection]) -> Result[tuple[Detection, ...]]:
    if not all(math.isfinite(item.score) for item in detections):
        return InferenceError("The model gave a score that is not a number.", permanent=False)
    if not all(math.isfinite(side) for item in detections for side in item.box or ()):
        return InferenceError("The model gave a box that is not made of numbers.", permanent=False)
    return tuple(detections)
