"""Names that become parts of topics, URLs and file names."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = frozenset(
    {"add", "admin", "all", "api", "new", "none", "null", "static", "status", "ws"}
)


def validate_slug(value: str) -> None:
    """ValidationError unless ``value`` is a lower-case DNS label that no page needs for itself."""
    if not SLUG.fullmatch(value):
        raise ValidationError(
            "Use lower-case letters, digits and hyphens, 63 at most, beginning and ending with a"
            " letter or digit."
        )
    if value in RESERVED:
        raise ValidationError(f"“{value}” is reserved. Choose another name.")
