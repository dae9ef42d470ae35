"""Tensors as the protocols carry them: little-endian bytes, lists of JSON, and strings with
their lengths.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from inference.runtimes.errors import InferenceError
from inference.runtimes.servers.failures import MAX_REPLY
from inference.runtimes.tensors import (
    BYTES,
    DTYPES,
    Tensor,
    bytes_tensor,
    datatype_of,
    rounds_integers,
)
from sightline.messages.json import parse

BF16: Final = "BF16"


class WireError(ValueError):
    """A value is not a tensor; the message gives the reason as the end of a sentence."""


def datatype_to_send(name: str, tensor: Tensor) -> str:
    """The datatype's name; a permanent InferenceError when no server takes it."""
    datatype = datatype_of(tensor)
    if not datatype:
        raise InferenceError(
            f"The input {name} is of type {tensor.dtype}, which model servers do not take.",
            permanent=True,
        )
    return datatype


def raw_bytes(name: str, tensor: Tensor) -> bytes:
    """The tensor in row-major order, little-endian; strings each after its length in 4 bytes."""
    if datatype_to_send(name, tensor) == BYTES:
        return b"".join(struct.pack("<I", len(item)) + item for item in byte_items(name, tensor))
    return tensor.astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes()


def byte_items(name: str, tensor: Tensor) -> list[bytes]:
    """The strings of a BYTES tensor in row-major order, text in UTF-8; a permanent
    InferenceError when one is neither.
    """
    return [_as_bytes(name, item) for item in tensor.ravel().tolist()]


def json_rows(name: str, tensor: Tensor, of_bytes: Callable[[bytes], object]) -> list[bytes]:
    """The JSON of each row (the first axis); ``of_bytes`` gives what stands for bytes.

    A permanent InferenceError when a number is not finite, for which JSON has no word.
    """
    return _encoded(name, tensor, tensor.tolist(), of_bytes)


def json_list(name: str, tensor: Tensor) -> bytes:
    """The JSON of all values in row-major order, in one flat list. Errors as of ``json_rows``;
    bytes must be text in UTF-8.
    """
    return _encoded(name, tensor, [tensor.ravel().tolist()], bytes.decode)[0]


def _encoded(
    name: str, tensor: Tensor, values: list[Any], of_bytes: Callable[[bytes], object]
) -> list[bytes]:
    datatype_to_send(name, tensor)
    encode = json.JSONEncoder(
        allow_nan=False, separators=(",", ":"), default=lambda item: of_bytes(_raw(item))
    ).encode
    try:
        return [encode(value).encode() for value in values]
    except ValueError as err:
        raise InferenceError(
            f"The input {name} holds a value that is not a finite number, which JSON cannot carry.",
            permanent=True,
        ) from err
    except TypeError as err:
        raise InferenceError(
            f"The input {name} holds a value that is neither text nor bytes.", permanent=True
        ) from err


def from_raw(data: bytes | memoryview, datatype: str, shape: Sequence[int]) -> Tensor:
    """The tensor that ``raw_bytes`` describes. WireError when it does not fit its shape."""
    count = element_count(shape)
    if datatype == BYTES:
        items = list(_split(bytes(data)))
        if len(items) != count:
            raise WireError(f"{len(items)} strings have come for a shape of {count}")
        return bytes_tensor(items).reshape(shape)
    dtype = np.dtype("<u2") if datatype == BF16 else _dtype(datatype)
    if len(data) != count * dtype.itemsize:
        raise WireError(f"{len(data)} bytes have come for {count} values of type {datatype}")
    values = np.frombuffer(data, dtype).reshape(shape)
    return from_bf16(values) if datatype == BF16 else values


def from_list(values: Any, datatype: str = "", shape: Sequence[int] | None = None) -> Tensor:
    """The tensor in nested (or, with ``shape``, flat) lists of JSON. WireError when they are ragged
    or hold something else.

    Without ``datatype`` numbers are INT64 or FP64. Text becomes bytes in UTF-8, {"b64": "..."}
    the bytes that it stands for.
    """
    strings = datatype == BYTES or (not datatype and isinstance(_first(values), str | dict))
    tensor = _strings(values) if strings else _numbers(values, datatype)
    if shape is None:
        return tensor
    if tensor.size != element_count(shape):
        raise WireError(f"{tensor.size} values have come for a shape of {element_count(shape)}")
    return tensor.reshape(shape)


def element_count(shape: Sequence[int]) -> int:
    """How many values a tensor of this shape has. Raises WireError if it is not one."""
    count = math.prod(shape)
    # The smallest value takes a byte: more of them than an answer may have bytes cannot have come.
    if any(size < 0 for size in shape) or count > MAX_REPLY or len(shape) > 32:
        raise WireError(f"its shape cannot be {list(shape)[:8]}")
    return count


def from_bf16(values: Tensor) -> Tensor:
    """FP32 from the upper halves of its bits."""
    floats: Tensor = (values.astype(np.uint32) << 16).view(np.float32)
    return floats


def load_json(body: bytes) -> Any:
    """The document. Raises WireError if it is not one, or if a whole number in it does not fit 64
    bits. NaN and infinities are let through: ``check_output`` names the output that holds them.
    """
    try:
        return parse(body, finite=False)
    except (ValueError, RecursionError) as err:
        reason = "" if isinstance(err, json.JSONDecodeError) else f": {err}"
        raise WireError(f"it is not complete JSON{reason}") from err


def _raw(item: object) -> bytes:
    if not isinstance(item, bytes):
        raise TypeError(type(item))
    return item


def _as_bytes(name: str, item: object) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, bytes):
        return item
    raise InferenceError(
        f"The input {name} holds a value that is neither text nor bytes.", permanent=True
    )


def _dtype(datatype: str) -> np.dtype[Any]:
    if datatype == BF16:
        return np.dtype(np.float32)
    if datatype not in DTYPES:
        raise WireError(f"{datatype[:40]!r} is no type of tensors")
    return DTYPES[datatype].newbyteorder("<")


def _split(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        start = at + 4
        if start > len(data):
            raise WireError("its strings are cut off")
        end = start + int.from_bytes(data[at:start], "little")
        if end > len(data):
            raise WireError("its strings are cut off")
        yield data[start:end]
        at = end


def _first(values: Any) -> Any:
    while isinstance(values, list) and values:
        values = values[0]
    return values


def _numbers(values: Any, datatype: str) -> Tensor:
    try:
        tensor = np.asarray(values)
    except (ValueError, OverflowError) as err:
        raise WireError("its rows are of different lengths") from err
    if tensor.dtype.kind not in "biuf":
        raise WireError(
            "it holds something else than numbers"
            if _even(tensor)
            else "its rows are of different lengths"
        )
    if tensor.dtype.kind == "f" and rounds_integers(tensor, values):
        raise WireError("it holds whole numbers beside fractions that no float can hold")
    return tensor.astype(_dtype(datatype)) if datatype else tensor


def _even(tensor: Tensor) -> bool:
    return not any(isinstance(item, list) for item in tensor.ravel().tolist())


def _strings(values: Any) -> Tensor:
    if not isinstance(values, list):
        return bytes_tensor([_string(values)]).reshape(())
    shape, flat = [len(values)], values
    while flat and isinstance(flat[0], list):
        lengths = {len(item) if isinstance(item, list) else -1 for item in flat}
        if len(lengths) > 1:
            raise WireError("its rows are of different lengths")
        shape.append(lengths.pop())
        flat = [item for row in flat for item in row]
    return bytes_tensor([_string(item) for item in flat]).reshape(shape)


def _string(item: object) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, dict) and item.keys() == {"b64"} and isinstance(item["b64"], str):
        try:
            return base64.b64decode(item["b64"], validate=True)
        except binascii.Error as err:
            raise WireError("its base64 is broken") from err
    raise WireError("it mixes texts with something else")
