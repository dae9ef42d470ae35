"""What a model's own description suggests for the options that turn pictures into tensors, and
tensors into predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.runtimes.errors import InferenceError
from inference.runtimes.pictures.input import JPEG, InputOptions, resolve
from inference.runtimes.tensors import BYTES, ModelMetadata, TensorSpec


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Options as their JSON has them, and what to look at."""

    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def for_pictures(metadata: ModelMetadata) -> Suggestion:
    """Options for ``input`` and ``output`` that fit the tensors, as far as they tell."""
    spec = _picture_input(metadata.inputs)
    if spec is None:
        return Suggestion(
            {"output": _output(metadata)},
            ("The model does not say what it takes: fill in its input by hand.",),
        )
    given, note = _input(spec)
    return Suggestion({"input": given, "output": _output(metadata)}, (note,) if note else ())


def _picture_input(specs: Sequence[TensorSpec]) -> TensorSpec | None:
    """The input that looks most like a picture: four axes, or the bytes of a file."""
    return max(
        specs,
        key=lambda spec: (len(spec.shape) == 4, spec.datatype == BYTES, len(spec.shape)),
        default=None,
    )


def _input(spec: TensorSpec) -> tuple[dict[str, Any], str]:
    try:
        settled = resolve(InputOptions(name=spec.name), spec)
    except InferenceError as err:
        return {"name": spec.name}, str(err)
    if settled.format == JPEG:
        return {"name": spec.name, "format": JPEG}, ""
    names = ("name", "format", "width", "height", "colour", "layout", "dtype")
    return {name: getattr(settled, name) for name in names}, ""


def _output(metadata: ModelMetadata) -> dict[str, Any]:
    """The adapter that the outputs' names and shapes are typical of; {} when they are of none."""
    outputs = {spec.name: spec for spec in metadata.outputs}
    if {"detection_boxes", "detection_scores"} <= outputs.keys():
        return {"adapter": "ssd"}
    if {"classes", "probabilities"} <= outputs.keys():
        return {"adapter": "seed"}
    if {"boxes", "scores", "labels"} <= outputs.keys():
        return {
            "adapter": "ssd",
            "boxes": "boxes",
            "scores": "scores",
            "classes": "labels",
            "order": "xyxy",
            "coordinates": "pixels",
        }
    floats = [spec for spec in metadata.outputs if spec.datatype.startswith("FP")]
    return _of_shape(floats[0], outputs) if floats else {}


def _of_shape(spec: TensorSpec, outputs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    named = {"tensor": spec.name} if len(outputs) > 1 else {}
    if len(spec.shape) == 2:
        return {"adapter": "classification", **named}
    if len(spec.shape) != 3:
        return {}
    _, rows, columns = spec.shape
    version = (
        "v10" if columns == 6 and rows != 6 else "v8" if columns < 0 or columns > rows else "v5"
    )
    return {"adapter": "yolo", "version": version, **named}
