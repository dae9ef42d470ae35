"""compose.yaml as a stranger runs it: out of a copy of what is committed, by the words of the
documents.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from tests.containers.engine import Engine
from tests.servers.ports import free_port
from tests.servers.stack import ADMIN, Operator

HOME = Path(__file__).parents[2]
IMAGE = "sightline:latest"
OURS = ("web", "capture", "infer", "records", "imprint", "jobs", "beat")
OFFICIAL = ("kafka", "postgres", "redis")


def clone(folder: Path) -> None:
    """Put what git would have there, as in an unpacked archive: no secrets, no .env, nothing
    built.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=HOME, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (HOME / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HOME / name, target)


def commands(document: str, heading: str) -> str:
    """The shell commands of a section of docs/."""
    text = (HOME / "docs" / document).read_text(encoding="utf-8")
    found = re.search(
        rf"^##+ {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, f"{document} has no section {heading}"
    return "\n".join(re.findall(r"```sh\n(.*?)```", found[1], re.DOTALL))


class Project:
    """The project in ``folder``, with ports and a name of its own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.port, self.prometheus_port = free_port(), free_port()
        self.url = f"http://localhost:{self.port}"
        # What the environment says wins over .env.
        self.environment = {
            "COMPOSE_PROJECT_NAME": f"sightline-{self.port}",
            "PUBLISH": f"127.0.0.1:{self.port}",
            "PROMETHEUS_PORT": str(self.prometheus_port),
            "COMPOSE_ANSI": "never",
            "BUILDKIT_PROGRESS": "quiet",
        }

    def shell(self, script: str, environment: Mapping[str, str] | None = None) -> str:
        """What a script of the documents prints, run in the folder; AssertionError when a
        command of it fails.
        """
        return self.engine.run(
            ["sh", "-euc", script],
            cwd=self.folder,
            environment={**self.environment, **(environment or {})},
        )

    def compose(self, *arguments: str) -> str:
        """What ``docker compose ...`` prints."""
        return self.engine.run(
            ["docker", "compose", *arguments], cwd=self.folder, environment=self.environment
        )

    def secret(self, name: str) -> str:
        """One of the secrets that were made."""
        return (self.folder / "secrets" / name).read_text(encoding="utf-8")

    @cached_property
    def operator(self) -> Operator:
        """The administrator, logged in."""
        return Operator(self.url).log_in(ADMIN, self.secret("admin_password"))

    def container(self, service: str) -> str:
        """The id of its container, also of one that has ended."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def states(self) -> dict[str, str]:
        """The health of each service that runs."""
        found = (json.loads(line) for line in self.compose("ps", "--format", "json").splitlines())
        return {item["Service"]: item["Health"] for item in found}

    def down(self) -> None:
        """End it and forget its data."""
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "25")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say what the containers said when something fails."""
        try:
            yield
        except (AssertionError, TimeoutError) as err:
            raise AssertionError(
                f"{err}\n{self.compose('ps', '--all')}\n{self.compose('logs', '--tail', '60')}"
            ) from err


@contextmanager
def wall(project: Project) -> Iterator[ClientConnection]:
    """The wall's socket, as the administrator's browser opens it."""
    cookies = "; ".join(
        f"{name}={value}" for name, value in project.operator.session.cookies.items()
    )
    headers = {"Cookie": cookies, "Origin": project.url}
    with connect(
        f"ws://localhost:{project.port}/ws/wall/", additional_headers=headers, max_size=None
    ) as socket:
        yield socket


def see(
    project: Project, camera: str, model: str, seconds: float = 60
) -> tuple[dict[str, object], dict[str, object]]:
    """The header of a frame of the camera, and what the model found on one, as they come to the
    wall; TimeoutError after ``seconds``.
    """
    frame: dict[str, object] = {}
    prediction: dict[str, object] = {}
    deadline = time.monotonic() + seconds
    with wall(project) as socket:
        socket.send(json.dumps({"type": "watch", "camera": camera, "fps": 10, "width": 640}))
        while not (frame and prediction):
            message = socket.recv(timeout=deadline - time.monotonic())
            if isinstance(message, bytes):
                frame = json.loads(message[4 : 4 + int.from_bytes(message[:4], "big")])
                socket.send(json.dumps({"type": "ack", "camera": camera, "seq": frame["seq"]}))
            elif (
                (document := json.loads(message))["type"] == "predictions"
                and document["model"] == model
                and document["predictions"]
            ):
                prediction = document
    return frame, prediction
