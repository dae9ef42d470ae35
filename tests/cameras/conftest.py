from __future__ import annotations

import pytest

from cameras import announce


@pytest.fixture(autouse=True)
def new_announcer() -> None:
    """Announcements go to the broker of this test's settings, not to that of an earlier one."""
    announce._producer.cache_clear()
