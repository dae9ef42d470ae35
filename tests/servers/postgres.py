"""A real PostgreSQL on loopback, with a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from .ports import LOOPBACK, free_port, is_listening
from .process import UNLESS_ORPHANED, Child
from .server import Server

DEBIAN = Path("/usr/lib/postgresql")
USER = "sightline"
# It refuses to run as root.
UNPRIVILEGED = "nobody"


class PostgresServer(Server):
    """The same port and the same data over stop() and start()."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        # Not in a test's own folder, which only its owner may enter.
        self._folder = tempfile.TemporaryDirectory(prefix="sightline-postgres-")
        self._data = Path(self._folder.name) / "data"
        self._child = Child([], log, cwd=Path("/"))

    @property
    def url(self) -> str:
        """For DATABASE_URL."""
        return f"postgres://{USER}@{LOOPBACK}:{self.port}/postgres"

    def start(self) -> Self:
        """Makes the database when there is none yet, starts the server and waits until it takes
        connections.
        """
        programs = _programs()
        prefix = _as_somebody(Path(self._folder.name))
        if not self._data.exists():
            initdb = [
                str(programs / "initdb"),
                "-D",
                str(self._data),
                "-U",
                USER,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ]
            command = [*prefix, *initdb]
            subprocess.run(command, check=True, capture_output=True, timeout=60, cwd="/")
        options = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_connections": "60",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._child.argv = [
            *prefix,
            str(programs / "postgres"),
            "-D",
            str(self._data),
            "-p",
            str(self.port),
            *settings,
        ]
        self._child.start()
        self._child.wait_until(self._answers, 30, "PostgreSQL to take connections")
        return self

    def _answers(self) -> bool:
        ready = [str(_programs() / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        return (
            is_listening(self.port)
            and subprocess.run(ready, check=False, timeout=10).returncode == 0
        )

    def stop(self) -> None:
        """A fast shutdown, as `systemctl stop` does it: clients are thrown out."""
        self._child.send_signal(signal.SIGINT)
        self._child.wait(20)

    def __exit__(self, *error: object) -> None:
        self._child.resume()
        self._child.kill()
        self._folder.cleanup()


def _programs() -> Path:
    """Where PostgreSQL's programs lie: Debian keeps them out of the PATH."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    initdb = found[-1] if found else shutil.which("initdb")
    if initdb is None:
        raise FileNotFoundError(
            "PostgreSQL is not installed; scripts/install-test-system.sh installs it"
        )
    return Path(initdb).parent


def _as_somebody(folder: Path) -> list[str]:
    """The beginning of a command line that is not root's; the folder becomes the user's."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam(UNPRIVILEGED)
    os.chown(folder, user.pw_uid, user.pw_gid)
    # Changing the user clears the death signal that was set before.
    return [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--pdeathsig",
        "KILL",
        "--",
        *UNLESS_ORPHANED,
        str(os.getpid()),
    ]
