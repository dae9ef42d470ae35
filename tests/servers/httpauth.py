"""Basic (RFC 7617) and Digest (RFC 7616: MD5, qop=auth) access authentication, the server's
side.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.request import parse_http_list, parse_keqv_list

from .login import Login

REALM = "camera"


class Gate:
    """Asks for one login, by the login's scheme; without a login it lets everybody in."""

    def __init__(self, login: Login | None) -> None:
        self._login = login
        self._nonce = secrets.token_hex(16)

    def challenge(self) -> str:
        """The value of the WWW-Authenticate header."""
        if self._login and self._login.scheme == "digest":
            return f'Digest realm="{REALM}", nonce="{self._nonce}", qop="auth", algorithm=MD5'
        return f'Basic realm="{REALM}"'

    def admits(self, method: str, authorization: str) -> bool:
        """Whether the Authorization header's value proves the login for a request of `method`."""
        if self._login is None:
            return True
        scheme, _, proof = authorization.partition(" ")
        if scheme.lower() != self._login.scheme:
            return False
        if self._login.scheme == "basic":
            return secrets.compare_digest(proof.encode(), _basic(self._login))
        return self._digest_fits(method, parse_keqv_list(parse_http_list(proof)), self._login)

    def _digest_fits(self, method: str, fields: dict[str, str], login: Login) -> bool:
        if fields.get("username") != login.username or fields.get("nonce") != self._nonce:
            return False
        ha1 = _md5(f"{login.username}:{REALM}:{login.password}")
        ha2 = _md5(f"{method}:{fields.get('uri', '')}")
        middle = ":".join(fields.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        return secrets.compare_digest(fields.get("response", ""), _md5(f"{ha1}:{middle}:{ha2}"))


def _basic(login: Login) -> bytes:
    return base64.b64encode(f"{login.username}:{login.password}".encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
