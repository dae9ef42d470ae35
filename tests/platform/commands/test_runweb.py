"""The web process tells its supervisor that its event loop turns."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.worker.worker import HEARTBEAT_VARIABLE
from tests.conftest import HOME
from tests.servers.ports import free_port

PATIENCE = 60


@pytest.fixture
def heartbeats(tmp_path: Path) -> Iterator[int]:
    """The pipe that a web process beats into; any warning of a library ends it."""
    read, write = os.pipe()
    given = {"DATA_DIR": str(tmp_path), "PORT": str(free_port()), HEARTBEAT_VARIABLE: str(write)}
    process = subprocess.Popen(
        [sys.executable, "-W", "error::UserWarning", "manage.py", "runweb"],
        cwd=HOME,
        env={**os.environ, **given},
        pass_fds=[write],
    )
    os.close(write)
    yield read
    process.terminate()
    process.wait(PATIENCE)
    os.close(read)


def test_it_beats_from_the_event_loop(heartbeats: int) -> None:
    for _ in range(2):
        assert select.select([heartbeats], [], [], PATIENCE)[0], "no heartbeat"
        assert os.read(heartbeats, 100).startswith(b".")  # nothing: the process has ended
