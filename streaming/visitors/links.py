"""Signed links: URLs that show one camera's stream or snapshot without a log-in, for players and
other pages.

The key at the end of the address is signed with ``SECRET_KEY`` over the camera, what is shown of
it and how, the user whose rights count, and the hash of that user's password. It can be
opened for five minutes. The stream that it opened ends when the user may no longer see the camera,
changes the password, or after ``STREAM_LINK_HOURS``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner

LINK_SECONDS = 300
PARAMETER = "key"
MAX_CHARACTERS = 200

NOT_VALID = (
    "This link is not valid: it was changed, or its user has a new password or no account any more."
    " Make a new one on the camera's page."
)
EXPIRED = (
    f"This link has expired: it can be opened for {LINK_SECONDS // 60} minutes. Make a new one on"
    " the camera's page."
)


class LinkKind(StrEnum):
    """What a link shows."""

    STREAM = "stream"
    SNAPSHOT = "snapshot"


class LinkError(Exception):
    """A link that cannot be opened; the message is a sentence for the visitor."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link shows; ``options`` is its query in canonical form."""

    kind: LinkKind
    camera: str
    options: str


@dataclass(frozen=True, slots=True)
class LinkHolder:
    """The user whose rights an opened link has, until ``ends_at`` (s since the epoch)."""

    user_pk: int
    password_hash: str
    ends_at: float

    def user(self) -> User | AnonymousUser:
        """The link's user; anonymous once the link has ended. Queries the database."""
        user = _active(self.user_pk)
        if (
            user is None
            or time.time() >= self.ends_at
            or user.get_session_auth_hash() != self.password_hash
        ):
            return AnonymousUser()
        return user


def make_key(link: Link, user: User) -> str:
    """Sign a link; the key can be opened for LINK_SECONDS."""
    return _signer(link, user).sign(str(user.pk))


def open_link(link: Link, key: str) -> LinkHolder:
    """Verify a key. Raises LinkError if it is not valid or has expired. Queries the database."""
    number = key.partition(":")[0]
    user = (
        _active(int(number))
        if number.isascii() and number.isdigit() and len(key) <= MAX_CHARACTERS
        else None
    )
    if user is None:
        raise LinkError(NOT_VALID)
    try:
        _signer(link, user).unsign(key, max_age=LINK_SECONDS)
    except SignatureExpired as err:
        raise LinkError(EXPIRED) from err
    except BadSignature as err:
        raise LinkError(NOT_VALID) from err
    return LinkHolder(
        user.pk, user.get_session_auth_hash(), time.time() + settings.STREAM_LINK_HOURS * 3600
    )


def _signer(link: Link, user: User) -> TimestampSigner:
    # The salt binds what the URL shows and the password's hash, so the key stays short and reveals
    # nothing.
    bound = ("streaming.links", link.kind, link.camera, link.options, user.get_session_auth_hash())
    return TimestampSigner(salt="\n".join(bound))


def _active(pk: int) -> User | None:
    return User.objects.filter(pk=pk, is_active=True).first() if pk < 2**63 else None
