from __future__ import annotations

import pytest

from inference.deadletters.letters import (
    Letter,
    Offset,
    grouped,
    shape_of,
)
from sightline.kafka import Record


def letter(offset: int, error: str, message: str) -> Letter:
    headers = {"dlt-exception-fqcn": error, "dlt-exception-message": message}
    return Letter.of(
        Record(
            "errors",
            0,
            offset,
            offset,
            None,
            b"{}",
            tuple((name, text.encode()) for name, text in headers.items()),
        )
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "The field 'width' must be a number; it is \"wide\".",
            'The field \'width\' must be a number; it is "narrow \\" er".',
        ),
        (
            "The frame has 12.5 MiB; 8 MiB at most are accepted.",
            "The frame has 9.1 MiB; 8 MiB at most are accepted.",
        ),
        ("Expected a shape of [1, 3, 640, 640].", "Expected a shape of [4]."),
        ("object at 0x7f3c", "object at 0x7f3d"),
        ("took -1.5e-3 s of 10ms", "took 7 s of 20ms"),
    ],
)
def test_what_differs_from_record_to_record_makes_no_other_kind(one: str, other: str) -> None:
    assert shape_of(one) == shape_of(other)


def test_numbers_within_names_stay() -> None:
    assert shape_of("FP32 is wanted, UINT8 was given") == "FP32 is wanted, UINT8 was given"


def test_another_field_is_another_kind() -> None:
    assert shape_of("The field 'width' is missing.") != shape_of("The field 'height' is missing.")


def test_letters_are_grouped_by_class_and_message_newest_first() -> None:
    newest_first = [
        letter(5, "a.TimedOut", "odd"),
        letter(4, "a.RecordError", "line 12"),
        letter(3, "b.RecordError", "line 12"),
        letter(2, "a.RecordError", "line 7"),
    ]
    groups = grouped(item.summary for item in newest_first)
    assert [(group.name, group.error, group.shape, group.count) for group in groups] == [
        ("TimedOut", "a.TimedOut", "odd", 1),
        ("RecordError", "a.RecordError", "line #", 2),
        ("RecordError", "b.RecordError", "line #", 1),
    ]
    assert [item.offset.offset for item in groups[1].letters] == [4, 2]


def test_headers_that_are_missing_or_wrong_do_not_matter() -> None:
    headers = (
        ("dlt-original-offset", b"many"),
        ("dlt-delivery-attempt", b"-3"),
        ("dlt-exception-message", b"\xff\x00<b>"),
        ("dlt-model", b""),
    )
    found = Letter.of(Record("errors", 0, 7, -1, None, None, headers))
    assert (found.why.offset, found.why.attempt, found.why.error) == (-1, 1, "unknown")
    assert found.summary.at.year == 1970
    assert found.summary.camera == ""


def test_a_record_goes_back_without_what_made_it_a_dead_letter() -> None:
    headers = (
        ("trace", b"1"),
        ("dlt-delivery-attempt", b"1"),
        ("trace", b"2"),
        ("dlt-model", b"iris"),
        ("dlt-delivery-attempt", b"4"),
    )
    found = Letter.of(Record("errors", 0, 7, 0, None, b"{}", headers))
    assert found.retry_headers == (("trace", b"1"), ("trace", b"2"), ("dlt-delivery-attempt", b"5"))


@pytest.mark.parametrize("text", ["", "x", "-1", "1:", ":1", "1:2:3", "9" * 30, "1 ", "١"])
def test_an_offset_is_parsed_strictly(text: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        Offset.parse(text)
    assert Offset.parse("12") == Offset(0, 12)
    assert str(Offset.parse("3:12")) == "3:12"
