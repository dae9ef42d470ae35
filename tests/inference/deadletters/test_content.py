from __future__ import annotations

import cv2
import pytest

from inference.deadletters.content import (
    ContentKind,
    content_of,
    editable,
    picture_type,
)
from tests.inference.pictures import encode, noise

JPEG = encode(noise())
PNG = cv2.imencode(".png", noise())[1].tobytes()


def test_only_what_begins_as_a_picture_is_one() -> None:
    assert picture_type(JPEG) == "image/jpeg"
    assert picture_type(PNG) == "image/png"


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff<script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"GIF89a<script>",
        PNG[:20],
        PNG[:8] + b"<html>" * 20,
        PNG[:16] + b"\xff\xff\xff\xff" + PNG[20:],
    ],
)
def test_what_only_claims_to_be_a_picture_is_none(value: bytes | None) -> None:
    assert picture_type(value) == ""


def test_json_is_laid_out_and_cut() -> None:
    found = content_of('{"name":"Zoë","n":1}'.encode())
    assert (found.kind, found.text) == (ContentKind.JSON, '{\n  "name": "Zoë",\n  "n": 1\n}')
    assert content_of(b"[" + b"1," * 2000 + b"1]").cut


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, ContentKind.NULL, ""),
        (b"", ContentKind.TEXT, ""),
        (b'{"sepal_length": 1.1', ContentKind.TEXT, '{"sepal_length": 1.1'),
        (b"[" * 100_000, ContentKind.TEXT, "[" * 600),
        (b"\x00\x01\xfe", ContentKind.BYTES, "00 01 fe"),
        (b"a\x00b", ContentKind.BYTES, "61 00 62"),
        (b'"\\ud800"', ContentKind.JSON, '"\\ud800"'),
    ],
)
def test_anything_can_be_shown(value: bytes | None, kind: ContentKind, text: str) -> None:
    found = content_of(value)
    assert (found.kind, found.text) == (kind, text)
    found.text.encode()


def test_text_can_be_edited_and_pictures_cannot() -> None:
    assert editable(b'{"a":1}') == '{\n  "a": 1\n}'
    assert editable(b'{"a":') == '{"a":'
    assert editable(None) == ""
    assert editable(JPEG) is None
    assert editable(b"\xfe\xff") is None
    assert editable(b"1" * 300_000) is None
