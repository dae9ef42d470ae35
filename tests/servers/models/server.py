"""What the model servers have in common: two loopback ports, a log, and the ways in which a
server can fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import requests

from ..ports import LOOPBACK, free_port, is_listening
from ..process import Child
from ..server import Server
from .digits import Digits, digits


class ModelServer(Server):
    """A model server's process group; the same ports over stop() and start().

    Subclasses give the command, and the paths that answer 200 once all models are loaded.
    `folder` is the server's own, for its configuration; `log` has its output.
    """

    ready_paths: tuple[str, ...] = ()

    def __init__(self, folder: Path, *, data: Digits | None = None) -> None:
        self.folder = folder
        self.log = folder / "server.log"
        self.rest_port = free_port()
        self.grpc_port = free_port()
        self._data = data
        self._child = Child([], self.log)

    @property
    def data(self) -> Digits:
        """The classifier that it serves, and pictures to try it on."""
        if self._data is None:
            self._data = digits()
        return self._data

    @property
    def rest(self) -> str:
        """http://127.0.0.1:<port>, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.rest_port}"

    @property
    def grpc(self) -> str:
        """127.0.0.1:<port>"""
        return f"{LOOPBACK}:{self.grpc_port}"

    def start(self, timeout: float = 60.0) -> Self:
        """Installs the server if it is not there yet, starts it, and waits until all its models
        answer.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._child.kill()
        self._child = Child(self._command(), self.log, env=self._environment(), cwd=self.folder)
        self._child.start()
        self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Waits until all its models answer; ChildDiedError or TimeoutError, with the end of its
        log, when they do not.
        """
        self._child.wait_until(self.is_ready, timeout, f"{type(self).__name__} to serve its models")

    def is_ready(self) -> bool:
        """Whether it answers on both ports now, with all models loaded."""
        return is_listening(self.grpc_port) and all(
            self._answers(path) for path in self.ready_paths
        )

    def stop(self) -> None:
        """An orderly end, by SIGTERM."""
        self._child.stop(grace=10)
        self._clean()

    def kill(self) -> None:
        """kill -9: the ports are closed at once, calls on their way are cut off."""
        self._child.kill()
        self._clean()

    def _command(self) -> list[str | Path]:
        raise NotImplementedError

    def _environment(self) -> Mapping[str, str]:
        return {}

    def _clean(self) -> None:
        """Removes what the process itself would leave behind."""

    def _answers(self, path: str) -> bool:
        try:
            return requests.get(self.rest + path, timeout=1).ok
        except requests.RequestException:
            return False
