"""The rig for all fault tests of a run, and their table. `make faults` runs them one after the
other; `make test` leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from tests.faults.rig import Rig
from tests.faults.table import Table

PYTHON_MODELS = [
    f"tests.models_for_tests.{name}"
    for name in ("IrisModel", "SlowModel", "PictureModel", "NanModel", "GivingUpModel")
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here break something that others need: they run by themselves."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One for all tests: each brings it back in order."""
    with Rig(tmp_path_factory.mktemp("rig"), {"PYTHON_MODELS": ",".join(PYTHON_MODELS)}) as rig:
        yield rig


@pytest.fixture(scope="session")
def on_kafka(rig: Rig) -> Iterator[None]:
    """The test's own clients reach the rig's Kafka as the stack does."""
    with override_settings(KAFKA_BOOTSTRAP_SERVERS=rig.stack.bootstrap, KAFKA_EMBEDDED=False):
        yield


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """Where the test's rows go."""
    return Table(request.node.nodeid)
