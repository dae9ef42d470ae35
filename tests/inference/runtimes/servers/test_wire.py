"""Tensors as bytes and as JSON."""

from __future__ import annotations

import numpy as np
import pytest

from inference.runtimes import InferenceError
from inference.runtimes.servers.wire import (
    WireError,
    byte_items,
    from_list,
    from_raw,
    json_list,
    json_rows,
    load_json,
    raw_bytes,
)
from inference.runtimes.tensors import (
    DTYPES,
    Tensor,
    bytes_tensor,
    datatype_of,
)


@pytest.mark.parametrize("datatype", [name for name in DTYPES if name != "BYTES"])
def test_numbers_come_back_from_bytes(datatype: str) -> None:
    tensor = np.array([[0, 1, 1], [1, 0, 1]]).astype(DTYPES[datatype])

    back = from_raw(raw_bytes("x", tensor), datatype, (2, 3))

    assert datatype_of(back) == datatype
    assert back.tolist() == tensor.tolist()


def test_other_byte_orders_and_strides_are_sent_right() -> None:
    tensor = np.arange(12, dtype=">f4").reshape(3, 4)[:, ::2]

    assert from_raw(raw_bytes("x", tensor), "FP32", (3, 2)).tolist() == [[0, 2], [4, 6], [8, 10]]


def test_strings_keep_their_zero_bytes() -> None:
    tensor = bytes_tensor([b"\xff\xd8\x00\x00", b"", b"a"])

    assert from_raw(raw_bytes("x", tensor), "BYTES", (3,)).tolist() == [
        b"\xff\xd8\x00\x00",
        b"",
        b"a",
    ]


def test_text_is_sent_in_utf_8() -> None:
    assert byte_items("x", np.array([["ä", "b"]])) == ["ä".encode(), b"b"]
    assert byte_items("x", np.array(["ä", b"b"], dtype=object)) == ["ä".encode(), b"b"]


@pytest.mark.parametrize(
    "tensor", [np.array([None, 1], dtype=object), np.array([[1], {}], dtype=object)]
)
def test_things_that_are_no_text_are_refused(tensor: Tensor) -> None:
    for send in (raw_bytes, byte_items, json_list):
        with pytest.raises(
            InferenceError, match="The input x holds a value that is neither text nor bytes"
        ) as caught:
            send("x", np.array([object()], dtype=object))
        assert caught.value.permanent


def test_types_that_no_server_takes_are_refused() -> None:
    with pytest.raises(
        InferenceError, match="The input x is of type complex128, which model servers do not take"
    ):
        raw_bytes("x", np.zeros(1, complex))


def test_json_has_no_word_for_what_is_no_number() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(InferenceError, match="not a finite number") as caught:
            json_rows("x", np.array([value]), bytes.decode)
        assert caught.value.permanent


@pytest.mark.parametrize(
    ("data", "datatype", "shape"),
    [
        (b"\0" * 7, "FP32", (2,)),
        (b"\0" * 8, "FP32", (3,)),
        (b"\0" * 8, "FP99", (2,)),
        (b"\0" * 8, "FP32", (-2,)),
        (b"", "FP32", (2**40, 2**40)),
        (b"", "FP32", (2**62, 0, 2)),
        (b"\x05\0\0\0abc", "BYTES", (1,)),
        (b"\x05\0", "BYTES", (1,)),
        (b"\x01\0\0\0a", "BYTES", (2,)),
        (b"\xff\xff\xff\xff", "BYTES", (1,)),
    ],
)
def test_bytes_that_do_not_fit_are_refused(
    data: bytes, datatype: str, shape: tuple[int, ...]
) -> None:
    if shape == (2**62, 0, 2):
        assert from_raw(data, datatype, (0, 2)).shape == (0, 2)
        return
    with pytest.raises(WireError):
        from_raw(data, datatype, shape)


def test_half_precision_of_brains_is_read() -> None:
    halves = (np.array([1.0, -2.5], np.float32).view(np.uint32) >> 16).astype("<u2")

    assert from_raw(halves.tobytes(), "BF16", (2,)).tolist() == [1.0, -2.5]


@pytest.mark.parametrize(
    ("values", "kind", "shape"),
    [
        ([1, 2], "i", (2,)),
        ([[1, 2.5], [3, 4]], "f", (2, 2)),
        ([True, False], "b", (2,)),
        (["a", "b"], "O", (2,)),
        ([["a", "b"], ["c", "d"]], "O", (2, 2)),
        ([{"b64": "/9g="}], "O", (1,)),
        ([[], []], "f", (2, 0)),
        (3, "i", ()),
        ("a", "O", ()),
    ],
)
def test_lists_become_tensors(values: object, kind: str, shape: tuple[int, ...]) -> None:
    tensor = from_list(values)

    assert (tensor.dtype.kind, tensor.shape) == (kind, shape)


def test_base64_becomes_the_bytes_that_it_stands_for() -> None:
    assert from_list([{"b64": "/9j/"}, "text"]).tolist() == [b"\xff\xd8\xff", b"text"]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([[1, 2], [3]], "its rows are of different lengths"),
        ([["a"], ["b", "c"]], "its rows are of different lengths"),
        ([["a"], "b"], "its rows are of different lengths"),
        ([1, None], "it holds something else than numbers"),
        ([1, "a"], "it holds something else than numbers"),
        (["a", 1], "it mixes texts with something else"),
        ([{"x": 1}], "it mixes texts with something else"),
        ([{"b64": "!"}], "its base64 is broken"),
        ([{"b64": 5}], "it mixes texts with something else"),
        (None, "it holds something else than numbers"),
    ],
)
def test_lists_that_are_no_tensors_are_refused(values: object, why: str) -> None:
    with pytest.raises(WireError, match=why):
        from_list(values)


def test_deep_or_broken_json_is_refused() -> None:
    for body in (b"[" * 1_000_000, b'{"a":', b"\xff\xfe", b"1" * 10_000, b""):
        with pytest.raises(WireError, match="not complete JSON"):
            load_json(body)
