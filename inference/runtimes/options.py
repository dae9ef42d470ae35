"""Options of runtimes: frozen dataclasses whose fields carry bounds and help, filled from a form or a file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from inference.runtimes.errors import InferenceError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

OptionsT = TypeVar("OptionsT", bound="DataclassInstance")


def number(default: float, low: float, high: float, about: str) -> Any:
    """A dataclass field for a number from ``low`` to ``high``; a whole number where ``default`` is one."""
    return field(default=default, metadata={"low": low, "high": high, "help": about})


def flag(default: bool, about: str) -> Any:
    """A dataclass field that is on or off."""
    return field(default=default, metadata={"help": about})


def parse(kind: type[OptionsT], values: Mapping[str, object]) -> OptionsT:
    """An instance of ``kind`` from names and values; a permanent InferenceError says which one is wrong."""
    known = {item.name: item for item in fields(kind)}
    for name in values:
        if name not in known:
            raise InferenceError(f"The option {name!r} is not known. Known: {', '.join(known)}.", permanent=True)
    return kind(**{name: _checked(known[name], value) for name, value in values.items()})


def _checked(option: Field[Any], value: object) -> object:
    if isinstance(option.default, bool):
        return _checked_flag(option, value)
    if isinstance(option.default, int | float):
        return _checked_number(option, value)
    return value


def _checked_flag(option: Field[Any], value: object) -> bool:
    if not isinstance(value, bool):
        raise InferenceError(f"The option {option.name!r} must be true or false.", permanent=True)
    return value


def _checked_number(option: Field[Any], value: object) -> float:
    whole = isinstance(option.default, int)
    low, high = option.metadata["low"], option.metadata["high"]
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise InferenceError(f"The option {option.name!r} must be a {'whole ' if whole else ''}number.", permanent=True)
    if not (math.isfinite(value) and low <= value <= high):
        raise InferenceError(f"The option {option.name!r} must be from {low} to {high}.", permanent=True)
    return value if whole else float(value)
