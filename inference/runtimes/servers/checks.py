"""Whether inputs and outputs fit each other and what a model says of itself, and sentences about
what does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from inference.runtimes.errors import InferenceError
from inference.runtimes.shapes import words
from inference.runtimes.tensors import (
    ModelMetadata,
    Tensor,
    TensorSpec,
    datatype_of,
)


def batch_size(inputs: Mapping[str, Tensor]) -> int:
    """The length of the first axis, the same for all inputs; a permanent InferenceError when it
    is not.
    """
    if not inputs:
        raise InferenceError("There is no input to send to the model.", permanent=True)
    sizes = {name: tensor.shape[0] if tensor.ndim else 0 for name, tensor in inputs.items()}
    rows = set(sizes.values())
    if len(rows) > 1 or 0 in rows:
        shown = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise InferenceError(
            f"The inputs must have one row for each picture or record, as many in each: {shown}.",
            permanent=True,
        )
    return rows.pop()


def mismatch(known: ModelMetadata | None, inputs: Mapping[str, Tensor]) -> str:
    """What does not fit between what was sent and what the model says it takes: sentences that
    begin with a space, or "".
    """
    if known is None or not known.inputs:
        return ""
    expected = {spec.name: spec for spec in known.inputs}
    if expected.keys() != inputs.keys():
        return f" Its inputs are named {', '.join(expected)}; sent were {', '.join(inputs)}."
    hints = (_misfit(spec, inputs[name]) for name, spec in expected.items())
    return "".join(hint for hint in hints if hint)


def _misfit(spec: TensorSpec, tensor: Tensor) -> str:
    datatype = datatype_of(tensor)
    if datatype != spec.datatype:
        return f" Its input {spec.name} is of type {spec.datatype}; sent was {datatype}."
    fits = len(spec.shape) == tensor.ndim and all(
        want in (-1, have) for want, have in zip(spec.shape, tensor.shape, strict=True)
    )
    if not fits:
        return (
            f" Its input {spec.name} has the shape {words(spec.shape)}; sent was"
            f" {words(tensor.shape)}."
        )
    return ""


def check_output(name: str, tensor: Tensor, rows: int) -> None:
    """A permanent InferenceError unless the output has a row for each of the ``rows`` inputs,
    and numbers only.
    """
    if not tensor.ndim or tensor.shape[0] != rows:
        raise InferenceError(
            f"The model's output {name} has the shape {words(tensor.shape)}; its first axis"
            f" must have one row for each of the {rows} inputs. Use batch 1, or a model that"
            " answers each input by itself.",
            permanent=True,
        )
    # A minimum is not a number as soon as one value is not: quicker than looking at each.
    if tensor.dtype.kind == "f" and tensor.size and math.isnan(float(np.min(tensor))):
        raise InferenceError(
            f"The model's output {name} holds values that are not numbers (NaN). Check the model,"
            " and how its inputs are scaled.",
            permanent=True,
        )
