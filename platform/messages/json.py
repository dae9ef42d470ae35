"""JSON documents in records: written compactly, and taken apart with care, because other
programs write to these topics, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

NUMBERS = (int, float)
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


def load(value: bytes | None) -> dict[str, Any]:
    """A JSON object from a record's value; MessageError for anything else."""
    try:
        document = json.loads(value or b"", parse_constant=_refuse_constant)
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


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
