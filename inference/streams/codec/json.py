"""JSON records: decoded before the model sees them, encoded from its results.

Numbers are finite and fit 64 bits, on both sides: other ones are refused with their field's path,
not rounded. docs/records.md says what becomes of Python's other types.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from inference.runtimes.errors import InferenceError
from inference.streams.codec.plain import Unwritable, plain, plain_object, refuse_odd_numbers
from inference.streams.codec.schema import RecordError
from sightline.messages import Detection
from sightline.messages.json import LONG_INTEGER

# Dates and dataclasses come to ``plain_object``, so that they are written in one way whether
# orjson takes the rest of the result or not.
OPTIONS: Final = (
    orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
)
NOT_FINITE: Final = "number is infinity"


def decode(value: bytes | None) -> Any:
    """The document; RecordError if it is missing or broken, or holds a number that is not finite
    or does not fit 64 bits.
    """
    if value is None:
        raise RecordError("The record is empty (null): there is nothing to predict on.")
    try:
        document = orjson.loads(value)
    except orjson.JSONDecodeError as err:
        if NOT_FINITE in err.msg:
            _refuse_odd_numbers(value)
        raise RecordError(
            f"The record is not JSON: {err.msg} at line {err.lineno}, column {err.colno}."
        ) from err
    if LONG_INTEGER.search(value):
        _refuse_odd_numbers(value)
    return document


def decode_objects(values: Sequence[bytes | None]) -> list[dict[str, Any]] | None:
    """Decode several values at once, which is faster; None unless all are JSON objects with
    numbers that need no second look.
    """
    loads, has_long_integer = orjson.loads, LONG_INTEGER.search
    try:
        # It refuses None like broken JSON.
        documents = [loads(value) for value in values]  # type: ignore[arg-type]
    except orjson.JSONDecodeError:
        return None
    if any(map(has_long_integer, values)):  # type: ignore[arg-type]
        return None
    return documents if set(map(type, documents)) <= {dict} else None


def _refuse_odd_numbers(value: bytes) -> None:
    """RecordError that names the field of such a number, if there is one outside of texts."""
    try:
        refuse_odd_numbers(json.loads(value))
    except Unwritable as err:
        raise RecordError(err.sentence("The record")) from err
    except (ValueError, RecursionError) as err:  # more digits than Python reads
        raise RecordError("The record holds a whole number that does not fit 64 bits.") from err


def encode_all(results: Sequence[Any]) -> list[bytes] | None:
    """Encode several results at once, which is faster; None when one needs a second look."""
    dumps = orjson.dumps
    try:
        values = [dumps(result, plain_object, OPTIONS) for result in results]
    except TypeError:
        return None
    # orjson writes NaN as null.
    return None if b"null" in b"".join(values) else values


def encode(result: Mapping[str, Any]) -> bytes:
    """A result as JSON; InferenceError with the path of what JSON cannot hold."""
    try:
        value = orjson.dumps(result, plain_object, OPTIONS)
        if b"null" not in value or _is_finite(result):
            return value
    except TypeError:
        pass
    try:
        return orjson.dumps(plain(result))
    except Unwritable as err:
        raise InferenceError(err.sentence("The model's result"), permanent=True) from err
    except (TypeError, RecursionError) as err:
        raise InferenceError(
            f"The model's result cannot be written as JSON: {err}.", permanent=True
        ) from err


def _is_finite(result: Mapping[str, Any]) -> bool:
    """Whether a null of the JSON is a None of the result, as far as the standard library can say:
    False where it meets a type that it does not know.
    """
    try:
        json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def detections_document(detections: Iterable[Detection]) -> dict[str, Any]:
    """What a model sees in a picture, as a result."""
    return {
        "predictions": [
            {name: value for name, value in asdict(item).items() if value is not None}
            for item in detections
        ]
    }
