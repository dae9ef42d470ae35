"""A Docker engine for the tests: the one that runs already, or Debian's, started by hand as root
and ended afterwards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.servers.process import Child
from tests.servers.waiting import wait_until

CACHE = Path(__file__).parents[2] / ".cache" / "docker"
PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"


def debian(arguments: Sequence[str | Path]) -> None:
    """Run mmdebstrap with the source that this machine's own packages come from."""
    command = ["mmdebstrap", "--quiet", *arguments, _mirror()]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=900)


def _mirror() -> str:
    files = [
        *sorted(Path("/etc/apt/sources.list.d").glob("debian*.sources")),
        Path("/etc/apt/sources.list"),
    ]
    lines = [
        line
        for file in files
        if file.exists()
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    return next(word for line in lines for word in line.split() if "://" in word)


class Engine:
    """Runs ``docker``. As a context manager it starts the engine if none answers; images and
    layers stay in .cache/docker.
    """

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.environment: dict[str, str] = {"DOCKER_BUILDKIT": "1"}
        self._children: list[Child] = []
        self._state: Path | None = None

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 900,
    ) -> str:
        """What a command that uses Docker prints; AssertionError with all that it said when it
        fails.
        """
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            cwd=cwd,
            env={**os.environ, **self.environment, **(environment or {})},
        )
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
        return done.stdout

    def docker(self, *arguments: str | Path, timeout: float = 900) -> str:
        """What ``docker ...`` prints."""
        return self.run(["docker", *arguments], timeout=timeout)

    def succeeds(self, *arguments: str) -> bool:
        """Whether ``docker ...`` does."""
        return (
            subprocess.run(
                ["docker", *arguments],
                capture_output=True,
                timeout=30,
                env={**os.environ, **self.environment},
            ).returncode
            == 0
        )

    def __enter__(self) -> Self:
        if not self.succeeds("info"):
            self._start()
        if not self.succeeds("compose", "version"):
            self._add_compose()
        return self

    def _start(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        # Sockets have short names, so not in a folder of the tests.
        self._state = state = Path(tempfile.mkdtemp(prefix="sightline-docker-", dir="/run"))
        containerd, docker = state / "containerd.sock", state / "docker.sock"
        self._child(
            "containerd",
            "--address",
            containerd,
            "--root",
            CACHE / "containerd",
            "--state",
            state / "containerd",
        )
        wait_until(containerd.exists, 30, "containerd's socket")
        places: list[str | Path] = [
            "--data-root",
            CACHE / "data",
            "--exec-root",
            state / "exec",
            "--pidfile",
            state / "pid",
        ]
        self._child("dockerd", "--host", f"unix://{docker}", "--containerd", containerd, *places)
        # Debian's client speaks to BuildKit by itself; one from elsewhere may lack its plugin.
        self.environment |= {
            "DOCKER_HOST": f"unix://{docker}",
            "PATH": f"/usr/bin:{os.environ['PATH']}",
        }
        self._children[-1].wait_until(
            lambda: self.succeeds("info"), 60, "the Docker engine to answer"
        )

    def _child(self, *command: str | Path) -> None:
        self._children.append(Child(command, self.logs / f"{command[0]}.log").start())

    def _add_compose(self) -> None:
        """The compose plugin of Debian 13; Debian 12 has none."""
        target = CACHE / "settings" / "cli-plugins" / "docker-compose"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                root = Path(scratch) / "root"
                debian(["--variant=extract", "--include=docker-compose", "trixie", root])
                (root / PLUGIN).rename(target)
        self.environment["DOCKER_CONFIG"] = str(target.parents[1])

    def __exit__(self, *_: object) -> None:
        for child in reversed(self._children):
            child.stop(grace=30)
        if self._state is not None:
            shutil.rmtree(self._state, ignore_errors=True)
