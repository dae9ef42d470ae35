"""Camera passwords, encrypted where they are stored and bound to where they may be sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

# Before a sealed secret that carries its destination.
BOUND: Final = "bound:"


class SecretError(Exception):
    """A stored secret cannot be decrypted with the configured keys, or was entered for another
    destination.
    """


class SecretBox:
    """Seals text with the first key and opens what any of the keys sealed (Fernet: AES-128-CBC
    with HMAC-SHA256).

    The destination is sealed with the secret, so that nobody who may change an address can have
    the secret sent to a host of theirs, whatever they change it with.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise SecretError("No key for camera passwords is set.")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            # Not chained: the library's message could quote the key.
            raise SecretError(
                "A key for camera passwords must be 32 bytes in URL-safe base64."
            ) from None

    def seal(self, text: str, destination: str) -> str:
        """Encrypt, to ASCII, for this destination alone. Empty text stays empty."""
        if not text:
            return ""
        return BOUND + self._fernet.encrypt(json.dumps([destination, text]).encode()).decode()

    def open(self, sealed: str, destination: str) -> str:
        """Decrypt. Raises SecretError if none of the keys fits, or if it was sealed for another
        destination.
        """
        if not sealed:
            return ""
        if not sealed.startswith(BOUND):
            raise _unreadable()
        bound_to, text = json.loads(self._decrypted(sealed.removeprefix(BOUND)))
        if bound_to != destination:
            raise SecretError(
                f"The stored password was entered for {bound_to}, not for {destination}. Enter it"
                " again."
            )
        return str(text)

    def bound(self, unbound: str, destination: str) -> str:
        """Bind a secret that was sealed without a destination. Raises SecretError if none of the
        keys fits.
        """
        return self.seal(self._decrypted(unbound), destination)

    def unbound(self, sealed: str) -> str:
        """The reverse of bound(). Raises SecretError if none of the keys fits."""
        _, text = json.loads(self._decrypted(sealed.removeprefix(BOUND)))
        return self._fernet.encrypt(text.encode()).decode()

    def rotate(self, sealed: str) -> str:
        """Seal the same secret with the first key. Raises SecretError if none of the keys fits."""
        if not sealed:
            return ""
        if not sealed.startswith(BOUND):
            raise _unreadable()
        try:
            return BOUND + self._fernet.rotate(sealed.removeprefix(BOUND).encode()).decode()
        except (InvalidToken, UnicodeError) as err:
            raise _unreadable() from err

    def _decrypted(self, token: str) -> str:
        try:
            return self._fernet.decrypt(token.encode()).decode()
        except (InvalidToken, UnicodeError) as err:
            raise _unreadable() from err


def _unreadable() -> SecretError:
    return SecretError(
        "The stored password cannot be read with this installation's key. Enter it again."
    )
