"""Masks credentials in text that is shown or logged."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"

# Up to the last @: a password that was pasted unencoded may itself hold / and @.
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s'\"<>]*@", re.IGNORECASE)
_QUERY_SECRET = re.compile(
    r"([?&;](?:password|passwd|pass|pwd|token|secret|key|auth|user|usr|username|login)=)[^&;#\s'\"<>]*",
    re.IGNORECASE,
)


def redact_url(url: str) -> str:
    """A URL (or text with URLs) with the user name, password and secret-looking query values
    masked.
    """
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", _USERINFO.sub(rf"\g<1>{MASK}@", url))
