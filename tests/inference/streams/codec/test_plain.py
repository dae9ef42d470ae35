"""A result is written in one way, whatever stands beside it."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

from inference.runtimes.errors import InferenceError
from inference.streams.codec.json import encode, encode_all


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Found:
    at: object
    _hidden: int = 2


Pair = namedtuple("Pair", "a b")
NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 678, tzinfo=datetime.UTC)
VALUES: list[tuple[Any, bytes]] = [
    (NOON, b'"2026-01-02T12:00:00.000678+00:00"'),
    (NOON.replace(tzinfo=None), b'"2026-01-02T12:00:00.000678"'),
    (NOON.date(), b'"2026-01-02"'),
    (datetime.time(1, 2), b'"01:02:00"'),
    (datetime.timedelta(seconds=1.5), b"1.5"),
    (decimal.Decimal("1.10"), b'"1.10"'),
    ({2, 1}, b"[1,2]"),
    (frozenset("a"), b'["a"]'),
    (Colour.RED, b'"red"'),
    (Level.HIGH, b"3"),
    (uuid.UUID(int=5), b'"00000000-0000-0000-0000-000000000005"'),
    (Found(NOON.date()), b'{"at":"2026-01-02","_hidden":2}'),
    (np.float32(0.1), b"0.1"),
    (np.array([0.1, 2], np.float32), b"[0.1,2.0]"),
    (np.array([0.1, 9, 0.2], np.float32)[::2], b"[0.1,0.2]"),
    (np.int64(5), b"5"),
    (np.array([[1], [2]]), b"[[1],[2]]"),
    (np.bool_(True), b"true"),
    (np.datetime64("2026-01-02"), b'"2026-01-02T00:00:00"'),
    (np.str_("x"), b'"x"'),
    (pathlib.PurePosixPath("/a"), b'"/a"'),
    (b"ab", b'"ab"'),
    (Pair(1, 2), b"[1,2]"),
    (range(2), b"[0,1]"),
    (OrderedDict(a=1), b'{"a":1}'),
    ({np.int64(3): 1, Colour.RED: 2, None: 3}, b'{"3":1,"red":2,"null":3}'),
    (2**64 - 1, b"18446744073709551615"),
    (-(2**63), b"-9223372036854775808"),
    ("null", b'"null"'),
    (None, b"null"),
]


@pytest.mark.parametrize(("value", "written"), VALUES, ids=lambda value: type(value).__name__)
def test_it_does_not_depend_on_what_stands_beside_it(value: Any, written: bytes) -> None:
    assert encode({"v": value}) == b'{"v":' + written + b"}"
    assert encode({"v": value, "n": None}) == b'{"v":' + written + b',"n":null}'
    mixed: dict[Any, Any] = {"v": value, 1: 2}
    assert encode(mixed) == b'{"v":' + written + b',"1":2}'
    assert encode({"deep": [{"v": value}]}) == b'{"deep":[{"v":' + written + b"}]}"
    together = encode_all([{"v": value}])
    assert together is None or together == [b'{"v":' + written + b"}"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "'v', holds a number that is not one"),
        ({"a": [1, float("inf")]}, "'v.a[1]', holds a number that is not one"),
        (np.array([1, np.nan]), "'v[1]', holds a number that is not one"),
        (np.float32("nan"), "'v', holds a number that is not one"),
        (2**64, "'v', holds a whole number that does not fit 64 bits"),
        (-(2**63) - 1, "'v', holds a whole number that does not fit 64 bits"),
        (object(), "'v', holds what JSON cannot: the type object has no form in JSON"),
        (iter([1]), "'v', holds what JSON cannot: the type list_iterator has no form"),
        ({(1, 2): 3}, "'v', has a name that is not text, of the type tuple"),
        (1j, "the type complex has no form in JSON"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_cannot_hold_is_named(value: Any, said: str) -> None:
    for result in ({"v": value}, {"v": value, "n": None}):
        with pytest.raises(InferenceError) as caught:
            encode(result)
        assert said in str(caught.value)
        assert caught.value.permanent
