"""A real Redis on loopback."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Self

import redis

from .ports import LOOPBACK, free_port, is_listening
from .process import Child
from .server import Server


class RedisServer(Server):
    """The same port over stop() and start(); without a disk, so that it comes back empty."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self._child = Child([], log)

    @property
    def url(self) -> str:
        """For REDIS_URL."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def start(self) -> Self:
        """Starts it and waits until it listens."""
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError(
                "redis-server is not installed; scripts/install-test-system.sh installs it"
            )
        self._child.argv = [
            program,
            "--port",
            str(self.port),
            "--bind",
            LOOPBACK,
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._child.start()
        self._child.wait_until(lambda: is_listening(self.port), 20, "Redis to listen")
        return self

    def flush(self) -> None:
        """It forgets all that it knows."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
