"""Camera passwords are sealed at rest and masked in text."""

from __future__ import annotations

import pytest

from cameras.sources.credentials import (
    SecretBox,
    SecretError,
    redact,
    redact_url,
)

PASSWORD = "p@ss:/w#r%d ü"


def test_what_is_sealed_can_be_opened() -> None:
    box = SecretBox([SecretBox.new_key()])
    sealed = box.seal(PASSWORD)
    assert PASSWORD not in sealed
    assert box.open(sealed) == PASSWORD


def test_the_same_password_is_sealed_differently_each_time() -> None:
    box = SecretBox([SecretBox.new_key()])
    assert box.seal(PASSWORD) != box.seal(PASSWORD)


def test_nothing_stays_nothing() -> None:
    box = SecretBox([SecretBox.new_key()])
    assert box.seal("") == box.open("") == box.rotate("") == ""


def test_a_new_key_takes_over_and_the_old_one_can_go() -> None:
    old, new = SecretBox.new_key(), SecretBox.new_key()
    sealed = SecretBox([old]).seal(PASSWORD)
    rotated = SecretBox([new, old]).rotate(sealed)
    assert SecretBox([new]).open(rotated) == PASSWORD
    with pytest.raises(SecretError):
        SecretBox([old]).open(rotated)


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "ü"])
def test_a_wrong_key_says_what_to_do(sealed: str) -> None:
    sealed = sealed or SecretBox([SecretBox.new_key()]).seal(PASSWORD)
    box = SecretBox([SecretBox.new_key()])
    for attempt in (box.open, box.rotate):
        with pytest.raises(SecretError, match="Enter it again"):
            attempt(sealed)


@pytest.mark.parametrize(
    "keys", [[], ["short"], ["not base64 at all, but forty-four letters long"]]
)
def test_a_wrong_key_is_refused_and_not_repeated(keys: list[str]) -> None:
    with pytest.raises(SecretError) as caught:
        SecretBox(keys)
    assert not any(key in str(caught.value) for key in keys)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("rtsp://op:secret@cam:554/live", "rtsp://***@cam:554/live"),
        ("rtsp://op:se@cr/et@cam/live", "rtsp://***@cam/live"),
        ("failed: rtsp://op:secret@cam/ (401)", "failed: rtsp://***@cam/ (401)"),
        ("http://cam/v?user=op&pwd=secret&res=hd", "http://cam/v?user=***&pwd=***&res=hd"),
    ],
)
def test_credentials_in_urls_are_masked(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_known_secrets_are_masked_in_every_spelling() -> None:
    text = f"{PASSWORD} p%40ss%3A%2Fw%23r%25d%20%C3%BC p%40ss%3A%2Fw%23r%25d+%C3%BC"
    assert redact(text, PASSWORD, "") == "*** *** ***"
