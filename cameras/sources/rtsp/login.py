"""Logging in to an RTSP camera: Basic (RFC 7617) and Digest (RFC 7616, and RFC 2617 before)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from urllib.request import parse_http_list

from cameras.sources import failures
from sightline.messages import Cause

ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "SHA-512-256": lambda data: hashlib.new("sha512_256", data).hexdigest(),
}
_SCHEME = re.compile(r"(?:^|,)\s*(digest|basic)\b", re.IGNORECASE)


class Login:
    """A user name and password, and what the camera last asked to prove them with."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._challenge: dict[str, str] | None = None
        self._uses = 0

    def challenge(self, headers: Iterable[str]) -> bool:
        """Take up what WWW-Authenticate headers ask for: the first Digest that is known here, else
        Basic. False if there is no user name, or nothing in them is known.
        """
        found = [challenge for header in headers for challenge in _challenges(header)]
        known = [each for each in found if each["scheme"] == "digest" and _is_known(each)]
        basic = [each for each in found if each["scheme"] == "basic"]
        self._challenge = (known + basic + [None])[0]
        self._uses = 0
        return bool(self._username) and self._challenge is not None

    def proof(self, method: str, url: str) -> str:
        """The Authorization header of a request; '' before the camera has asked."""
        if self._challenge is None or not self._username:
            return ""
        if self._challenge["scheme"] == "basic":
            pair = f"{self._username}:{self._password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        self._uses += 1
        return _digest(self._challenge, self._username, self._password, method, url, self._uses)


def _challenges(header: str) -> list[dict[str, str]]:
    """The challenges of one header, which may hold several, each with its scheme."""
    starts = list(_SCHEME.finditer(header))
    ends = [start.start() for start in starts[1:]] + [len(header)]
    found = []
    for start, end in zip(starts, ends, strict=False):
        items = (item.partition("=") for item in parse_http_list(header[start.end() : end]))
        fields = {name.strip().lower(): value.strip().strip('"') for name, _, value in items}
        found.append({**fields, "scheme": start[1].lower()})
    return found


def _is_known(challenge: dict[str, str]) -> bool:
    offers = [word.strip() for word in challenge.get("qop", "auth").lower().split(",")]
    algorithm = challenge.get("algorithm", "MD5").upper().removesuffix("-SESS")
    return algorithm in ALGORITHMS and "auth" in offers and "nonce" in challenge


def _digest(
    challenge: dict[str, str], username: str, password: str, method: str, url: str, uses: int
) -> str:
    if not username.isprintable():
        raise failures.unreachable(
            "The user name holds a character that RTSP cannot carry.", Cause.LOGIN_UNSENDABLE
        )
    realm, nonce = challenge.get("realm", ""), challenge["nonce"]
    name = challenge.get("algorithm", "MD5").upper()
    known = ALGORITHMS[name.removesuffix("-SESS")]

    def hashed(*parts: str) -> str:
        return known(":".join(parts).encode("utf-8", "surrogateescape"))

    cnonce, count = secrets.token_hex(8), f"{uses:08x}"
    secret = hashed(username, realm, password)
    if name.endswith("-SESS"):
        secret = hashed(secret, nonce, cnonce)
    quoted = {"username": username, "realm": realm, "nonce": nonce, "uri": url}
    plain = {"algorithm": challenge["algorithm"]} if "algorithm" in challenge else {}
    if "qop" in challenge:
        proof = hashed(secret, nonce, count, cnonce, "auth", hashed(method, url))
        plain |= {"qop": "auth", "nc": count}
        quoted["cnonce"] = cnonce
    else:
        proof = hashed(secret, nonce, hashed(method, url))
        if name.endswith("-SESS"):
            quoted["cnonce"] = cnonce
    quoted["response"] = proof
    if "opaque" in challenge:
        quoted["opaque"] = challenge["opaque"]
    fields = [f'{key}="{_escaped(value)}"' for key, value in quoted.items()]
    return "Digest " + ", ".join(fields + [f"{key}={value}" for key, value in plain.items()])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
