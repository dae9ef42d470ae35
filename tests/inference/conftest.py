"""What the tests of models share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.inference.pipelines import Bench, bench_of


@pytest.fixture
def bench(embedded: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Pipelines on the embedded broker."""
    with bench_of(monkeypatch) as bench:
        yield bench
