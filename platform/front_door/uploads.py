"""Who may send a file: asked before its body is read."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.conf import settings

from sightline.front_door.limits import MIB
from streaming.visitors.visitor import DatabaseUnavailable, Visitor, in_database

log = logging.getLogger(__name__)

# The forms of models and versions, and what they ask about a file that is not saved yet.
PREFIX = b"/admin/inference/"
RIGHTS = (
    "inference.add_model",
    "inference.change_model",
    "inference.add_modelversion",
    "inference.change_modelversion",
)


def limit() -> int:
    """Bytes of the largest request with a file: the file and its form."""
    return int(settings.UPLOAD_MIB) * MIB


def is_upload(method: bytes, path: bytes) -> bool:
    """Whether files are sent there, by who may."""
    return method == b"POST" and path.startswith(PREFIX)


async def allowed(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the client is logged in and may change models."""
    try:
        return await in_database(_may_upload, Visitor.of_headers(headers))
    except DatabaseUnavailable:
        return False
    except Exception:
        log.exception("upload could not be checked")
        return False


def _may_upload(visitor: Visitor) -> bool:
    user = visitor.user()
    return bool(user.is_staff and any(user.has_perm(right) for right in RIGHTS))
