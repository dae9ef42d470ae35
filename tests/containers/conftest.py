from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers import standins
from tests.containers.engine import Engine
from tests.containers.project import Project, clone, commands


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("docker")) as running:
        standins.make_debians(running)
        standins.make(running, standins.BEFORE_OURS)
        standins.make(running, standins.OTHERS)
        yield running


@pytest.fixture(scope="session")
def project(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The whole of it, up, by the words of the document."""
    running = Project(engine, tmp_path_factory.mktemp("clone"))
    clone(running.folder)
    try:
        with running.told():
            running.shell(commands("containers.md", "Start"))
        yield running
    finally:
        running.down()
