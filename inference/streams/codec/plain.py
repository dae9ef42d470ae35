"""What a model's result becomes in JSON, whatever Python types it is made of."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import math
import os
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from inference.runtimes.field_errors import field_path
from sightline.messages.json import MAX_INTEGER, MIN_INTEGER

MAX_DEPTH: Final = 200  # orjson stops at 254
Path = tuple[str | int, ...]


class Unwritable(ValueError):
    """A value that JSON cannot hold: ``reason`` is the end of a sentence, ``path`` where it
    stands.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason

    def sentence(self, whole: str) -> str:
        """What is wrong with ``whole``."""
        where = f", in the field {field_path(self.path)!r}," if self.path else ""
        return f"{whole}{where} {self.reason}."


def plain(value: Any, path: Path = ()) -> Any:
    """The value made of what JSON knows; raises Unwritable."""
    if value is None or type(value) in (bool, str):
        return value
    if isinstance(value, int) and not isinstance(value, enum.Enum):
        return _in_64_bits(int(value), path)
    if isinstance(value, float) and not isinstance(value, enum.Enum):
        return _finite(float(value), path)
    if len(path) > MAX_DEPTH:
        raise Unwritable((), f"is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        return {_key(key, path): plain(item, (*path, str(key))) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, (*path, index)) for index, item in enumerate(value)]
    try:
        return plain(plain_object(value), path)
    except TypeError as err:
        raise Unwritable(path, f"holds what JSON cannot: {err}") from err


def plain_object(value: Any) -> Any:
    """One object of another type, as something nearer to JSON; TypeError if it has no form in
    JSON. orjson calls it, and ``plain``, so that both write the same.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if callable(dump := getattr(value, "model_dump", None)):  # pydantic
        return dump(mode="json")
    for kind, form in FORMS:
        if isinstance(value, kind):
            return form(value)
    if callable(to_list := getattr(value, "tolist", None)):  # NumPy's scalars and arrays
        return _as_orjson_writes(value) if hasattr(value, "dtype") else to_list()
    raise TypeError(f"the type {type(value).__name__} has no form in JSON")


def _as_orjson_writes(value: Any) -> Any:
    """NumPy's dates as text to the microsecond; floats of 32 bits and fewer with as few digits as
    tell them apart: 0.1, not 0.10000000149011612.
    """
    kind, size = value.dtype.kind, value.dtype.itemsize
    if kind == "M":
        return value.astype("datetime64[us]").tolist()
    if kind == "f" and size < 8:
        return value.astype("f4").astype("U32").astype("f8").tolist()
    return value.tolist()


def refuse_odd_numbers(value: Any) -> None:
    """Raises Unwritable for a number in a document of JSON that is not finite or does not fit 64
    bits.
    """
    plain(value)


def _members(values: Collection[Any]) -> list[Any]:
    """In order, where they have one: the same result is the same JSON."""
    try:
        return sorted(values)
    except TypeError:
        return list(values)


FORMS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (enum.Enum, lambda value: value.value),
    (uuid.UUID, str),
    (decimal.Decimal, str),  # no digit is lost
    ((datetime.datetime, datetime.date, datetime.time), lambda value: value.isoformat()),
    (datetime.timedelta, lambda value: value.total_seconds()),
    (os.PathLike, lambda value: os.fsdecode(value)),
    ((bytes, bytearray, memoryview), lambda value: bytes(value).decode(errors="replace")),
    ((set, frozenset), _members),
    (str, str),
    (Mapping, dict),
    ((list, tuple, range), list),
)


def _key(key: Any, path: Path) -> str:
    """A name of an object: as its value would be written, without quotes."""
    found = plain(key, path)
    if isinstance(found, str):
        return found
    if found is None or isinstance(found, bool):
        return {None: "null", True: "true", False: "false"}[found]
    if isinstance(found, int | float):
        return str(found)
    raise Unwritable(path, f"has a name that is not text, of the type {type(key).__name__}")


def _in_64_bits(number: int, path: Path) -> int:
    if not MIN_INTEGER <= number <= MAX_INTEGER:
        raise Unwritable(path, "holds a whole number that does not fit 64 bits")
    return number


def _finite(number: float, path: Path) -> float:
    if not math.isfinite(number):
        raise Unwritable(path, "holds a number that is not one (NaN or infinite)")
    return number
