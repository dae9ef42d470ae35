"""JSON documents in records: written compactly, and taken apart with care, because other
programs write to these topics, too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

NUMBERS = (int, float)
# What 64 bits hold, with a sign or without: what Kafka's other readers, databases and NumPy take.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1
MAX_DIGITS = len(str(MIN_INTEGER))
# What may be beyond them.
LONG_INTEGER = re.compile(rb"[0-9]{20}|-[0-9]{19}")
# How fields are annotated, and what JSON gives for them; fields of other types are made here, not
# taken as they come.
FIELD_TYPES: dict[Any, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "float": NUMBERS,
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
}


class MessageError(ValueError):
    """A record that is not what its topic promises."""


def dump(document: Mapping[str, Any]) -> bytes:
    """Compact JSON; NaN and infinities are refused with ValueError, because no browser reads
    them.
    """
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def parse(text: bytes | str, *, finite: bool = True) -> Any:
    """The JSON document. ValueError (or RecursionError) if it is not one, or if it holds a number
    that is not finite or does not fit 64 bits: such a number passes through Python and fails at
    some later place, with what else is there. ``finite=False`` takes NaN and infinities.
    """
    try:
        # Six times as fast. It refuses what is not finite, but makes floats of longer integers.
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_strictly(text, finite)  # which also takes halves of surrogate pairs
    digits = text.encode() if isinstance(text, str) else text
    return _parse_strictly(text, finite) if LONG_INTEGER.search(digits) else document


def whole_number(text: bytes | str) -> int:
    """A whole number from 0 to 2^63 - 1 in decimal digits, as in headers; ValueError if it is
    not one.
    """
    digits = text.decode() if isinstance(text, bytes) else text
    if not (digits.isascii() and digits.isdigit() and len(digits) < MAX_DIGITS):
        raise ValueError(f"{digits[:MAX_DIGITS]!r} is not a whole number")
    if (number := int(digits)) >= 2**63:
        raise ValueError(f"{digits} does not fit 64 bits")
    return number


def load(value: bytes | None) -> dict[str, Any]:
    """A JSON object from a record's value; MessageError for anything else."""
    try:
        document = parse(value or b"")
    except (ValueError, RecursionError) as err:
        raise MessageError(f"not JSON: {err}") from err
    if not isinstance(document, dict):
        raise MessageError("not a JSON object")
    return document


class parsing:  # noqa: N801 - reads as a statement: with parsing("a prediction"):
    """Turns errors raised while a document is taken apart into a MessageError: "not ``what``"."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(err, (AttributeError, KeyError, TypeError, ValueError)):
            raise MessageError(f"not {self.what}: {err}") from err


def typed(message: T) -> T:
    """The message, if its plain fields hold what they are annotated with; TypeError if not:
    other programs write to these topics, too.
    """
    for name, allowed in _plain_fields(type(message)):
        if type(getattr(message, name)) not in allowed:
            raise TypeError(f"{name} is of the wrong type")
    return message


@cache
def _plain_fields(kind: type[DataclassInstance]) -> tuple[tuple[str, tuple[type, ...]], ...]:
    """The fields that ``typed`` checks. Cached: looking them up took most of its time."""
    return tuple(
        (item.name, FIELD_TYPES[item.type]) for item in fields(kind) if item.type in FIELD_TYPES
    )


def without_none(item: Mapping[str, Any]) -> dict[str, Any]:
    """The document without the values that are None."""
    return {name: value for name, value in item.items() if value is not None}


def counts(values: Any) -> dict[str, int]:
    """Whole numbers by their names; TypeError for anything else."""
    if not isinstance(values, dict) or not all(type(value) is int for value in values.values()):
        raise TypeError("numbers by their names are expected")
    return values


def _parse_strictly(text: bytes | str, finite: bool) -> Any:
    if not finite:
        return json.loads(text, parse_int=_integer)
    return json.loads(
        text, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_finite
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _integer(digits: str) -> int:
    # Counted first: the time that int() takes grows with the square of the digits.
    if len(digits) > MAX_DIGITS or not MIN_INTEGER <= (number := int(digits)) <= MAX_INTEGER:
        raise ValueError(f"{digits[:MAX_DIGITS]} does not fit 64 bits")
    return number


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:MAX_DIGITS]} is not finite")
    return number
