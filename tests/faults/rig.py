"""What the fault tests break: the whole of Sightline on a real Kafka that is reached through a
proxy, and the measuring of what follows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import quote

from sightline.worker.worker import resident_bytes
from tests.faults.watcher import Watcher
from tests.servers.kafka import KafkaServer
from tests.servers.login import Login
from tests.servers.ports import free_port
from tests.servers.proxy import FaultProxy
from tests.servers.stack import Operator, Stack

MIB = 2**20
MEASURED = ("web", "capture", "infer")
# Planted wherever a camera is added, and looked for in every log. Awkward in URLs, so that its
# encoded form is another.
CAMERA_LOGIN = Login("watchman", "pl4nted/s3cret w0rd")


class Memory:
    """The most that processes of a stack have grown since the measuring began, in MiB. A process
    that was replaced begins anew.
    """

    def __init__(self, stack: Stack, processes: Iterable[str] = MEASURED) -> None:
        self.stack = stack
        self.processes = tuple(processes)
        self.growth = dict.fromkeys(self.processes, 0.0)
        self._first: dict[tuple[str, int], int] = {}

    def look(self) -> None:
        """Note what they use now."""
        for name in self.processes:
            pid = self.stack.pid(name)
            if size := resident_bytes(pid):
                first = self._first.setdefault((name, pid), size)
                self.growth[name] = max(self.growth[name], (size - first) / MIB)

    @property
    def most(self) -> float:
        """The growth of the process that grew most."""
        return round(max(self.growth.values()), 1)


class Rig:
    """A Kafka, a proxy in front of it (`link`), and a Stack that reaches Kafka only through the
    proxy. A context manager.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        port, advertised = free_port(), free_port()
        self.kafka = KafkaServer(
            folder / "kafka", folder / "kafka.log", port=port, advertised=advertised
        )
        self.link = FaultProxy(port, advertised)
        self.stack = Stack(folder / "stack", kafka=self.link.address, environment=environment)
        self._operator: Operator | None = None
        self._running = ExitStack()

    @property
    def operator(self) -> Operator:
        """The administrator, logged in."""
        if self._operator is None:
            self._operator = self.stack.operator()
        return self._operator

    def add_rtsp(self, slug: str, port: int, login: Login = CAMERA_LOGIN, **fields: object) -> str:
        """Add an RTSP camera at a port of this machine, with the planted password."""
        self.operator.add_camera(
            slug,
            "rtsp",
            f"rtsp://127.0.0.1:{port}/live",
            username=login.username,
            new_password=login.password,
            **fields,
        )
        return slug

    def watching(self, *cameras: str, fps: float = 30.0, width: int = 1920) -> Watcher:
        """A viewer of these cameras; a context manager."""
        return Watcher(self.operator, *cameras, fps=fps, width=width)

    @contextmanager
    def memory(self, *processes: str) -> Iterator[Memory]:
        """Measures processes (web, capture, infer when none is named) four times a second, for
        the length of the block.
        """
        memory = Memory(self.stack, processes or MEASURED)
        memory.look()
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.25):
                memory.look()

        thread = threading.Thread(target=watch, name="memory", daemon=True)
        thread.start()
        try:
            yield memory
        finally:
            ended.set()
            thread.join()
            memory.look()

    def secrets(self) -> str:
        """The logs of the stack in which the planted password is found, in any form; "" when in
        none.
        """
        password = CAMERA_LOGIN.password
        forms = {password, quote(password), quote(password, safe="")}
        logs = sorted(self.stack.folder.glob("*.log"))
        return ", ".join(
            log.name
            for log in logs
            if any(form in log.read_text(errors="replace") for form in forms)
        )

    def crashes(self) -> str:
        """Python stacks that faulthandler has written since the start, which are nobody's wish;
        "" when there are none.
        """
        text = self.stack.log.read_text(errors="replace")
        return (
            text[text.index("Fatal Python error") :][:4000] if "Fatal Python error" in text else ""
        )

    def pids(self, *processes: str) -> dict[str, int]:
        """Their process ids now: the same before and after a fault when they stayed up."""
        return {name: self.stack.pid(name) for name in processes or MEASURED}

    def __enter__(self) -> Self:
        with ExitStack() as started:
            # The proxy first: to those who ask whether Kafka is ready it tells the proxy's address.
            started.enter_context(self.link)
            started.enter_context(self.kafka)
            started.enter_context(self.stack)
            self._running = started.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.link.forward()
        self._running.__exit__(None, None, None)


def last_for(seconds: float) -> None:
    """Let a fault last: the one thing that is waited for by the clock."""
    threading.Event().wait(seconds)


def since(moment: float, at: float | None = None) -> float:
    """Seconds from one moment of the monotonic clock to another, or to now, to a hundredth."""
    return round((time.monotonic() if at is None else at) - moment, 2)
