from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.node import PAUSE, Node
from tests.containers import standins
from tests.containers.engine import Engine
from tests.containers.project import clone

IMAGE = "sightline:0.1.0"
OFFICIAL = ("postgres:17", "redis:8", "apache/kafka:4.3.1")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is committed."""
    folder = tmp_path_factory.mktemp("clone")
    clone(folder)
    return folder


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A cluster in which nothing runs yet."""
    with Node(tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture(scope="session")
def images(node: Node, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All that the local overlay needs is on the node."""
    with Engine(tmp_path_factory.mktemp("docker")) as engine:
        standins.make_debians(engine)
        standins.make(
            engine,
            {
                **standins.BEFORE_OURS,
                **{name: standins.OTHERS[name] for name in OFFICIAL},
                PAUSE: "pause",
            },
        )
        engine.run(["docker", "build", "--quiet", "--tag", IMAGE, "."], cwd=checkout)
        node.load(engine, [IMAGE, PAUSE, *OFFICIAL])
