"""Tensors by name, and where they are computed: the ground that model files, model servers and
adapters share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[Any]
"""An array whose first axis is the batch. Strings and pictures in a file's own bytes are object
arrays of ``bytes``.
"""

BYTES: Final = "BYTES"
DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    BYTES: np.dtype(np.object_),
}
"""The Open Inference Protocol's names of data types, and numpy's."""

# Up to here a float holds every whole number.
EXACT_FLOAT: Final = 2**53

_NAMES: Final = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output. ``datatype`` is the Open Inference Protocol's name (FP32, INT64,
    BYTES, ...); -1 = any length.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a model takes and gives. Empty ``inputs`` or ``outputs``: it does not say. ``labels``
    are the names of classes that it brings.
    """

    name: str
    version: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    platform: str = ""
    labels: tuple[str, ...] = ()


class Backend(Protocol):
    """One model somewhere that turns tensors into tensors. Making one costs nothing; ``load``
    opens files and connections.
    """

    def load(self) -> None:
        """Load the model. Raises InferenceError with the reason."""

    def metadata(self) -> ModelMetadata:
        """The model's own description. Raises InferenceError if it cannot be read."""

    def infer(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name for one batch, the first axis of each tensor; InferenceError fails
        the whole batch.
        """

    def close(self) -> None:
        """Free what ``load`` took; safe to call twice, and without ``load``."""


def datatype_of(tensor: Tensor) -> str:
    """The Open Inference Protocol's name of a tensor's data type; ``BYTES`` for text and bytes,
    "" when there is none.
    """
    if tensor.dtype.kind in "SUO":
        return BYTES
    return _NAMES.get(tensor.dtype.newbyteorder("="), "")


def bytes_tensor(values: list[bytes]) -> Tensor:
    """A BYTES tensor of shape (N,)."""
    # Numpy's own string types drop trailing zero bytes, which pictures may end with.
    tensor: Tensor = np.empty(len(values), dtype=np.object_)
    tensor[:] = values
    return tensor


def rounds_integers(array: NDArray[Any], values: Any) -> bool:
    """Whether floats were made of whole numbers among nested lists of ``values`` that a float
    cannot hold, because fractions stand beside them.
    """
    if not array.size or not (np.abs(array) > EXACT_FLOAT).any():
        return False
    left = [values]
    while left:
        item = left.pop()
        if isinstance(item, list | tuple):
            left += item
        elif type(item) is int and abs(item) > EXACT_FLOAT and int(float(item)) != item:
            return True
    return False
