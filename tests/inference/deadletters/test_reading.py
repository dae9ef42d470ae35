from __future__ import annotations

import pytest

from inference.deadletters.letters import Offset
from inference.deadletters.reader import letter_at, newest
from sightline.kafka import Record, topics
from sightline.kafka.offsets import Offsets
from sightline.kafka.reader import TopicReader
from tests.inference.deadletters.conftest import Graveyard

pytestmark = pytest.mark.django_db


def write(graveyard: Graveyard, count: int, partition: int = 0, first: int = 0) -> None:
    """Letters with the values 0, 1, 2 and so on, each a millisecond younger than the one before."""
    for number in range(first, first + count):
        value, headers = str(number).encode(), {"dlt-exception-message": b"No."}
        graveyard.producer.send(
            topics.errors("iris", "1"),
            value,
            headers=headers,
            timestamp=1_000_000 + number,
            partition=partition,
        )
    graveyard.producer.flush(5)


def values(letters: object) -> list[int]:
    return [int(letter.content.text) for letter in letters]  # type: ignore[attr-defined]


def test_there_are_none_before_the_topic_is_made(graveyard: Graveyard) -> None:
    assert graveyard.letters() == ()
    assert letter_at(topics.errors("iris", "1"), Offset(0, 0)) is None


def test_the_newest_come_first_and_older_ones_page_by_page(graveyard: Graveyard) -> None:
    write(graveyard, 260)
    topic = topics.errors("iris", "1")
    seen: list[int] = []
    window = newest(topic, limit=100)
    assert values(window.letters) == list(range(259, 159, -1))
    while True:
        seen += values(window.letters)
        if window.before is None:
            break
        window = newest(topic, window.before, limit=100)
    assert seen == list(range(259, -1, -1))


def test_partitions_are_read_together_by_time(graveyard: Graveyard) -> None:
    write(graveyard, 60)
    write(graveyard, 60, partition=2, first=60)
    write(graveyard, 60, first=120)
    topic = topics.errors("iris", "1")
    first = newest(topic, limit=100)
    assert values(first.letters) == list(range(179, 79, -1))
    second = newest(topic, first.before, limit=100)
    assert values(second.letters) == list(range(79, -1, -1))
    assert second.before is None


def test_forwards_goes_up_to_the_end_given(graveyard: Graveyard) -> None:
    write(graveyard, 30)
    write(graveyard, 5, partition=1, first=30)
    with TopicReader(topics.errors("iris", "1")) as reader:
        records = list(reader.forwards({0: 10}, {0: 20, 1: 3, 7: 9}))
    assert [int(record.value or b"") for record in records] == [*range(10, 20), 30, 31, 32]


@pytest.mark.parametrize("offset", [Offset(0, 3), Offset(9, 0), Offset(0, 10**17)])
def test_there_is_no_letter_at_other_offsets(graveyard: Graveyard, offset: Offset) -> None:
    write(graveyard, 3)
    assert letter_at(topics.errors("iris", "1"), offset) is None


def test_gaps_and_a_topic_that_ends_early_are_no_reason_to_wait(
    graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(graveyard, 3)
    # Transaction markers take up offsets that no reader sees: as if there were more after the last
    # record.
    monkeypatch.setattr(Offsets, "range", lambda *_: (0, 5))
    assert values(graveyard.letters()) == [2, 1, 0]
    assert letter_at(topics.errors("iris", "1"), Offset(0, 4)) is None


def test_a_letter_keeps_key_value_and_headers(graveyard: Graveyard) -> None:
    record = Record(
        "somewhere",
        3,
        41,
        1_700_000_000_000,
        b"\xffkey",
        b"\x00value",
        (("trace", b"1"), ("trace", b"2")),
    )
    graveyard.bury(record, ValueError("odd"), attempt=3)
    letter = letter_at(topics.errors("iris", "1"), Offset(0, 0))
    assert letter is not None
    assert (letter.record.key, letter.record.value) == (b"\xffkey", b"\x00value")
    assert letter.own_headers == record.headers
    assert (letter.why.topic, letter.why.partition, letter.why.offset, letter.why.timestamp) == (
        "somewhere",
        3,
        41,
        1_700_000_000_000,
    )
    assert (letter.why.error, letter.why.message, letter.why.attempt) == (
        "builtins.ValueError",
        "odd",
        3,
    )
    assert "ValueError: odd" in letter.why.stacktrace
