"""Camera passwords, encrypted where they are stored."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SecretError(Exception):
    """A stored secret cannot be decrypted with the configured keys."""


class SecretBox:
    """Seals text with the first key and opens what any of the keys sealed (Fernet: AES-128-CBC
    with HMAC-SHA256).
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

    def seal(self, text: str) -> str:
        """Encrypt, to ASCII. Empty text stays empty."""
        return self._fernet.encrypt(text.encode()).decode() if text else ""

    def open(self, sealed: str) -> str:
        """Decrypt. Raises SecretError if none of the keys fits."""
        if not sealed:
            return ""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as err:
            raise _unreadable() from err

    def rotate(self, sealed: str) -> str:
        """Seal the same secret with the first key. Raises SecretError if none of the keys fits."""
        if not sealed:
            return ""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as err:
            raise _unreadable() from err


def _unreadable() -> SecretError:
    return SecretError(
        "The stored password cannot be read with this installation's key. Enter it again."
    )
