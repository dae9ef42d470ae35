"""What the tests of record streams share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from tests import models_for_tests
from tests.inference.streams.flows import Flow


@pytest.fixture(autouse=True)
def python_models(settings: Settings) -> None:
    """The classes that can be chosen."""
    classes = [
        value
        for value in vars(models_for_tests).values()
        if isinstance(value, type) and not value.__name__.startswith("_")
    ]
    settings.PYTHON_MODELS = [f"tests.models_for_tests.{kind.__name__}" for kind in classes]


@pytest.fixture
def flow(embedded: str) -> Iterator[Callable[..., Flow]]:
    """Makes flows on the embedded broker."""
    made: list[Flow] = []

    def make(name: str, **plan: Any) -> Flow:
        made.append(Flow(name, **plan))
        return made[-1]

    yield make
    for item in made:
        item.close()
