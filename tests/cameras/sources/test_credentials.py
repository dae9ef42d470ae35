"""Camera passwords are sealed at rest."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet

from cameras.sources.credentials import SecretBox, SecretError

PASSWORD = "p@ss:/w#r%d ü"
DOCK = "rtsp://192.168.1.20:554 (rtsp)"


def new_key() -> str:
    return Fernet.generate_key().decode()


def test_what_is_sealed_can_be_opened() -> None:
    box = SecretBox([new_key()])
    sealed = box.seal(PASSWORD, DOCK)
    assert PASSWORD not in sealed
    assert box.open(sealed, DOCK) == PASSWORD


def test_the_same_password_is_sealed_differently_each_time() -> None:
    box = SecretBox([new_key()])
    assert box.seal(PASSWORD, DOCK) != box.seal(PASSWORD, DOCK)


def test_nothing_stays_nothing() -> None:
    box = SecretBox([new_key()])
    assert box.seal("", DOCK) == box.open("", DOCK) == box.rotate("") == ""


def test_a_new_key_takes_over_and_the_old_one_can_go() -> None:
    old, new = new_key(), new_key()
    sealed = SecretBox([old]).seal(PASSWORD, DOCK)
    rotated = SecretBox([new, old]).rotate(sealed)
    assert SecretBox([new]).open(rotated, DOCK) == PASSWORD
    with pytest.raises(SecretError):
        SecretBox([old]).open(rotated, DOCK)


@pytest.mark.parametrize("sealed", ["", "x", "gAAAAA", "ü"])
def test_a_wrong_key_says_what_to_do(sealed: str) -> None:
    sealed = sealed or SecretBox([new_key()]).seal(PASSWORD, DOCK)
    box = SecretBox([new_key()])
    with pytest.raises(SecretError, match="Enter it again"):
        box.open(sealed, DOCK)
    with pytest.raises(SecretError, match="Enter it again"):
        box.rotate(sealed)


@pytest.mark.parametrize(
    "keys", [[], ["short"], ["not base64 at all, but forty-four letters long"]]
)
def test_a_wrong_key_is_refused_and_not_repeated(keys: list[str]) -> None:
    with pytest.raises(SecretError) as caught:
        SecretBox(keys)
    assert not any(key in str(caught.value) for key in keys)


def test_a_secret_opens_for_its_own_destination_only() -> None:
    box = SecretBox([new_key()])
    sealed = box.seal(PASSWORD, DOCK)
    with pytest.raises(SecretError, match=r"entered for rtsp://192\.168\.1\.20:554") as caught:
        box.open(sealed, "rtsp://192.168.1.21:554 (rtsp)")
    assert PASSWORD not in str(caught.value)


def test_a_secret_without_a_destination_is_bound_and_freed_again() -> None:
    key = new_key()
    box, unbound = SecretBox([key]), Fernet(key).encrypt(PASSWORD.encode()).decode()
    with pytest.raises(SecretError):
        box.open(unbound, DOCK)
    bound = box.bound(unbound, DOCK)
    assert box.open(bound, DOCK) == PASSWORD
    assert Fernet(key).decrypt(box.unbound(bound)).decode() == PASSWORD
