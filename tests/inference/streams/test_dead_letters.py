from __future__ import annotations

import json
from collections.abc import Callable

from pytest_django import Settings

from tests.inference.streams.flows import IRIS, Flow, reason

MakeFlow = Callable[..., Flow]


WRONG: list[tuple[object, str]] = [
    (None, "The record is empty (null): there is nothing to predict on."),
    (b"", "The record is not JSON: Input is a zero-length, empty document at line 1, column 1."),
    (
        b'{"sepal_length": 1.1,}',
        "The record is not JSON: trailing comma is not allowed at line 1, column 21.",
    ),
    (
        b"\xff\xfe\x00",
        (
            "The record is not JSON: str is not valid UTF-8: surrogates not allowed at line 1,"
            " column 1."
        ),
    ),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "The record is a picture, but the model takes JSON."),
    (
        b"BMW",
        "The record is not JSON: unexpected character, expected a JSON value at line 1, column 1.",
    ),
    (b"[1, 2]", "The record is JSON, but not an object with names and values."),
    (
        b'{"sepal_length": NaN}',
        "The record is not JSON: unexpected character, expected a JSON value at line 1, column 18.",
    ),
    ({**IRIS, "petal_width": "wide"}, "The field 'petal_width' must be a number; it is \"wide\"."),
    ({name: 1.0 for name in IRIS if name != "petal_width"}, "The field 'petal_width' is missing."),
]


def test_records_that_are_not_what_the_model_takes_are_never_tried_and_stop_nothing(
    flow: MakeFlow,
) -> None:
    iris = flow("iris_model")
    for value, _ in WRONG:
        iris.send(value, IRIS, key=b"k")

    letters = iris.letters(len(WRONG))

    assert [reason(letter) for letter in letters] == [why for _, why in WRONG]
    assert [letter.value for letter in letters] == [
        value if isinstance(value, bytes | None) else json.dumps(value).encode()
        for value, _ in WRONG
    ]
    assert {letter.header_map["dlt-delivery-attempt"] for letter in letters} == {b"1"}
    assert {letter.header_map["dlt-exception-fqcn"] for letter in letters} == {
        b"inference.streams.codec.schema.RecordError"
    }
    assert iris.results(len(WRONG)) == [{"species": "versicolor"}] * len(WRONG)


def test_a_dead_letter_says_where_it_came_from(flow: MakeFlow) -> None:
    iris = flow("iris_model")
    iris.send(IRIS, b"{", key=b"k", headers=[("trace", b"1")])

    (letter,) = iris.letters(1)
    headers = letter.header_map

    assert letter.key == b"k"
    assert letter.headers[0] == ("trace", b"1")
    assert headers["dlt-original-topic"] == iris.inputs.name.encode()
    assert (headers["dlt-original-partition"], headers["dlt-original-offset"]) == (b"0", b"1")
    assert int(headers["dlt-original-timestamp"]) > 1_600_000_000_000
    assert headers["dlt-consumer-group"] == iris.stream.group.encode() if iris.stream else False
    assert headers["dlt-exception-fqcn"] == b"inference.streams.codec.schema.RecordError"
    assert b"JSONDecodeError" in headers["dlt-exception-stacktrace"]
    assert (headers["dlt-model"], headers["dlt-version"]) == (b"m", b"1")


def test_what_may_pass_is_tried_three_times(flow: MakeFlow) -> None:
    moody = flow("moody_model")
    moody.send({"id": 1, "fails": 2}, {"id": 2, "fails": 9}, {"id": 3, "fails": 0})

    assert [result["id"] for result in moody.results(2)] == [1, 3]
    (letter,) = moody.letters(1)
    assert reason(letter) == "OSError: not now"
    assert letter.header_map["dlt-delivery-attempt"] == b"3"
    assert b'raise OSError("not now")' in letter.header_map["dlt-exception-stacktrace"]


def test_a_bug_is_not_tried_again(flow: MakeFlow) -> None:
    moody = flow("moody_model")
    moody.send({"id": 1, "bug": True})

    (letter,) = moody.letters(1)
    assert reason(letter) == "ZeroDivisionError: integer division or modulo by zero"
    assert letter.header_map["dlt-delivery-attempt"] == b"1"


def test_a_retried_record_counts_its_attempts_and_its_result_forgets_them(flow: MakeFlow) -> None:
    iris = flow("iris_model")
    headers = [("trace", b"1"), ("dlt-delivery-attempt", b"2"), ("dlt-exception-message", b"old")]
    iris.send(IRIS, b"{", headers=headers)

    (letter,) = iris.letters(1)
    (output,) = iris.records(iris.outputs, 1)

    assert letter.header_map["dlt-delivery-attempt"] == b"2"
    assert [name for name, _ in letter.headers].count("dlt-exception-message") == 1
    assert output.headers == (("trace", b"1"),)


def test_a_record_as_large_as_may_be_fits_into_the_errors(flow: MakeFlow) -> None:
    iris = flow("iris_model")
    value = b"x" * (8 * 1024 * 1024 - 200)
    iris.send(value)

    assert iris.letters(1)[0].value == value


def test_of_a_record_that_is_too_large_the_letter_keeps_what_fits(
    flow: MakeFlow, settings: Settings
) -> None:
    iris = flow("iris_model")
    large = b"x" * 200_000
    iris.send(large, key=b"k", headers=[("trace", b"1")])
    iris.send(None, IRIS, key=b"k", headers=[("trace", large)])
    iris.send(None, key=large, headers=[("trace", b"1")])
    iris.start()
    settings.KAFKA_MAX_MESSAGE_BYTES = 64 * 1024

    letters = iris.letters(4)

    assert [(letter.key, letter.value, letter.header_map.get("trace")) for letter in letters] == [
        (b"k", None, b"1"),
        (b"k", None, None),
        (b"k", json.dumps(IRIS).encode(), None),
        (None, None, b"1"),
    ]
    assert [letter.header_map["dlt-original-offset"] for letter in letters] == [
        b"0",
        b"1",
        b"2",
        b"3",
    ]
    assert (
        reason(letters[2])
        == "The answer has 200140 bytes with its key and headers; Kafka takes 65536"
        " (KAFKA_MAX_MESSAGE_BYTES)."
    )
