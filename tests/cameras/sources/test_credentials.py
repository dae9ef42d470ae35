"""Camera passwords are sealed at rest."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from cameras.sources.credentials import SecretBox, SecretError

PASSWORD = "p@ss:/w#r%d ü"


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_what_is_sealed_can_be_opened() -> None:
    box = SecretBox([new_key()])
    sealed = box.seal(PASSWORD)
    assert PASSWORD not in sealed
    assert box.open(sealed) == PASSWORD


def test_the_same_password_is_sealed_differently_each_time() -> None:
    box = SecretBox([new_key()])
    assert box.seal(PASSWORD) != box.seal(PASSWORD)


def test_nothing_stays_nothing() -> None:
    box = SecretBox([new_key()])
    assert box.seal("") == box.open("") == box.rotate("") == ""


def test_a_new_key_takes_over_and_the_old_one_can_go() -> None:
    old, new = new_key(), new_key()
    sealed = SecretBox([old]).seal(PASSWORD)
    rotated = SecretBox([new, old]).rotate(sealed)
    assert SecretBox([new]).open(rotated) == PASSWORD
    with pytest.raises(SecretError):
        SecretBox([old]).open(rotated)


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "ü"])
def test_a_wrong_key_says_what_to_do(sealed: str) -> None:
    sealed = sealed or SecretBox([new_key()]).seal(PASSWORD)
    box = SecretBox([new_key()])
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
