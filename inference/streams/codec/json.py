"""JSON records: decoded before the model sees them, encoded from its results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from inference.runtimes.errors import InferenceError
from inference.streams.codec.schema import RecordError
from sightline.messages import Detection

WITH_NUMPY: Final = orjson.OPT_SERIALIZE_NUMPY


def decode(value: bytes | None) -> Any:
    """The document; RecordError if it is missing or broken."""
    if value is None:
        raise RecordError("The record is empty (null): there is nothing to predict on.")
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as err:
        raise RecordError(
            f"The record is not JSON: {err.msg} at line {err.lineno}, column {err.colno}."
        ) from err


def decode_objects(values: Sequence[bytes | None]) -> list[dict[str, Any]] | None:
    """Decode several values at once, which is faster; None unless all are JSON objects."""
    loads = orjson.loads
    try:
        # It refuses None like broken JSON.
        documents = [loads(value) for value in values]  # type: ignore[arg-type]
    except orjson.JSONDecodeError:
        return None
    return documents if set(map(type, documents)) <= {dict} else None


def encode_all(results: Sequence[Any]) -> list[bytes] | None:
    """Encode several results at once, which is faster; None when one may hold what JSON cannot."""
    dumps = orjson.dumps
    try:
        values = [dumps(result, _plain, WITH_NUMPY) for result in results]
    except TypeError:
        return None
    # orjson writes NaN as null.
    return None if b"null" in b"".join(values) else values


def encode(result: Mapping[str, Any]) -> bytes:
    """A result as JSON; InferenceError when it holds what JSON cannot."""
    try:
        value = orjson.dumps(result, _plain, WITH_NUMPY)
    except TypeError:
        return _encode_strictly(result)
    # orjson writes NaN as null.
    return _encode_strictly(result) if b"null" in value else value


def _encode_strictly(result: Mapping[str, Any]) -> bytes:
    """Encode with the standard library, which takes integers of any size and refuses NaN."""
    try:
        return json.dumps(result, separators=(",", ":"), allow_nan=False, default=_plain).encode()
    except ValueError as err:
        raise InferenceError(
            "The model's result holds a number that is not one (NaN or infinite).", permanent=True
        ) from err
    except (TypeError, RecursionError) as err:
        raise InferenceError(
            f"The model's result cannot be written as JSON: {err}.", permanent=True
        ) from err


def detections_document(detections: Iterable[Detection]) -> dict[str, Any]:
    """What a model sees in a picture, as a result."""
    return {
        "predictions": [
            {name: value for name, value in asdict(item).items() if value is not None}
            for item in detections
        ]
    }


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays, and bytes, as what JSON knows."""
    if callable(to_list := getattr(value, "tolist", None)):
        return to_list()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"a {type(value).__name__} has no form in JSON")
