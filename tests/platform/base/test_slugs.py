from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from sightline.base.slugs import RESERVED, validate_slug


@pytest.mark.parametrize("slug", ["a", "7", "dock-1", "a--b", "x" * 63])
def test_a_dns_label_is_a_slug(slug: str) -> None:
    validate_slug(slug)


@pytest.mark.parametrize(
    "slug",
    ["", "-a", "a-", "Dock", "a b", "a.b", "a/b", "a_b", "dück", "x" * 64, "a\n", "..", "%2e"],
)
def test_anything_else_is_none(slug: str) -> None:
    with pytest.raises(ValidationError, match="lower-case letters, digits and hyphens"):
        validate_slug(slug)


@pytest.mark.parametrize("slug", sorted(RESERVED))
def test_names_that_pages_need_are_reserved(slug: str) -> None:
    with pytest.raises(ValidationError, match="reserved"):
        validate_slug(slug)
