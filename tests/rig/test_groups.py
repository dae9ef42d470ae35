"""Tests that share servers run in one process, or each process would start servers of its own."""

from __future__ import annotations

import pytest


def test_tests_stay_with_their_group(request: pytest.FixtureRequest) -> None:
    """pytest-xdist puts the group behind the name, and sends what has the same behind it to one
    process.
    """
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("the tests run in one process, or are not to be kept in groups")
    assert request.node.nodeid.endswith("@rig/test_groups.py")
