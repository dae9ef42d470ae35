"""Camera credentials: encrypted where they are stored, masked wherever text is shown or logged."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, quote_plus

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from sightline.base.redaction import MASK
from sightline.base.redaction import redact_url as redact_url


class SecretError(Exception):
    """A stored secret cannot be read with the keys at hand."""


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

    @staticmethod
    def new_key() -> str:
        """A fresh random key."""
        return Fernet.generate_key().decode()

    def seal(self, text: str) -> str:
        """Encrypted, in ASCII. Empty text stays empty: it is no secret."""
        return self._fernet.encrypt(text.encode()).decode() if text else ""

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises SecretError when none of the keys fits."""
        if not sealed:
            return ""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as err:
            raise _unreadable() from err

    def rotate(self, sealed: str) -> str:
        """The same secret, sealed with the first key. Raises SecretError when none of the keys
        fits.
        """
        if not sealed:
            return ""
        try:
            return self._fernet.rotate(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as err:
            raise _unreadable() from err


def redact(text: str, *secrets: str) -> str:
    """`text` with these secrets, and the credentials of every URL in it, masked."""
    forms = {
        form
        for secret in secrets
        if secret
        for form in (secret, quote(secret, safe=""), quote_plus(secret))
    }
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return redact_url(text)


def _unreadable() -> SecretError:
    return SecretError(
        "The stored password cannot be read with this installation's key. Enter it again."
    )
