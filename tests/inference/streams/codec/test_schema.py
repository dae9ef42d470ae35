from __future__ import annotations

from typing import Any

import pytest

from inference.runtimes.errors import InferenceError
from inference.streams.codec.schema import RecordError, RecordSchema, refuse_wrong_schema

FLOWER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "length": {"type": "number", "minimum": 0},
        "count": {"type": "integer"},
        "colour": {"enum": ["red", "blue"]},
        "petals": {
            "type": "array",
            "items": {"type": "object", "properties": {"width": {"type": ["number", "null"]}}},
        },
        "name": {"type": "string", "pattern": "^(a+)+$"},
    },
    "required": ["length"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "document",
    [
        {"length": 1},
        {"length": 1.5, "count": 2},
        {"length": 0, "count": 2.0, "petals": [{"width": None}]},
    ],
)
def test_whole_numbers_are_numbers(document: dict[str, Any]) -> None:
    RecordSchema(FLOWER).check(document)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "The field 'length' is missing."),
        ({"length": "long"}, "The field 'length' must be a number; it is \"long\"."),
        ({"length": True}, "The field 'length' must be a number; it is true."),
        (
            {"length": -1},
            "The field 'length' does not fit: it is less than the minimum of 0; it is -1.",
        ),
        ({"length": 1, "count": 1.5}, "The field 'count' must be a whole number; it is 1.5."),
        (
            {"length": 1, "petals": [{}, {"width": "wide"}]},
            "The field 'petals[1].width' must be null or a number; it is \"wide\".",
        ),
        ({"length": 1, "hue": 3}, "The record has what the model does not know: hue."),
        (
            {"length": 1, "colour": "green"},
            'The field \'colour\' does not fit: it is not one of "red" or "blue"; it is "green".',
        ),
        (
            {"length": 1, "name": "x" * 999},
            f'The field \'name\' does not fit: it does not match "^(a+)+$"; it is "{"x" * 59} ….',
        ),
        ([1], "The record must be an object; it is [1]."),
    ],
)
def test_what_is_wrong_is_said_with_its_field(document: Any, sentence: str) -> None:
    with pytest.raises(RecordError) as caught:
        RecordSchema(FLOWER).check(document)
    assert str(caught.value) == sentence
    assert caught.value.permanent


def test_a_pattern_that_backtracks_for_ever_ends() -> None:
    with pytest.raises(RecordError, match="The field 'name'"):
        RecordSchema(FLOWER).check({"length": 1, "name": "a" * 5000 + "b"})


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"type": "nonsense"}, "The schema is wrong at type: "),
        ({"properties": {"a": 5}}, "The schema is wrong at properties.a: "),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/passwd"}, "Retrieval is disabled"),
        ([1], "A JSON schema is an object"),
    ],
)
def test_what_is_no_schema_is_refused_and_nothing_is_fetched(schema: object, sentence: str) -> None:
    with pytest.raises(InferenceError) as caught:
        refuse_wrong_schema(schema)
    assert sentence in str(caught.value)
