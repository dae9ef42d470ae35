"""Fixtures of the model servers: each is started once for the whole run, when the first test asks
for it.

A test that stops, kills or pauses one brings it back before it ends. What they need is imported
late: not every run needs TensorFlow or scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .digits import Digits
    from .kserve import KServe
    from .mlserver import MLServer
    from .tfserving import TFServing
    from .triton import Triton


@pytest.fixture(scope="session")
def digits() -> Digits:
    """The classifier that all model servers have, and pictures to try it on."""
    from .digits import digits

    return digits()


@pytest.fixture(scope="session")
def mlserver(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    from .mlserver import MLServer

    with MLServer(tmp_path_factory.mktemp("mlserver"), data=digits) as server:
        yield server


@pytest.fixture(scope="session")
def kserve(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServe]:
    from .kserve import KServe

    with KServe(tmp_path_factory.mktemp("kserve"), data=digits) as server:
        yield server


@pytest.fixture(scope="session")
def triton(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    from .triton import Triton

    with Triton(tmp_path_factory.mktemp("triton"), data=digits) as server:
        yield server


@pytest.fixture(scope="session")
def tfserving(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TFServing]:
    from .tfserving import TFServing

    with TFServing(tmp_path_factory.mktemp("tfserving"), data=digits) as server:
        yield server
