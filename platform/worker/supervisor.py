"""Keeps a set of processes running: restarts those that die or hang, and ends them all."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from prometheus_client.core import Metric

from sightline.base.backoff import Backoff
from sightline.telemetry.health import Pulse
from sightline.telemetry.metrics import RESTARTS, RUNNING
from sightline.worker.worker import HEARTBEAT_VARIABLE

log = logging.getLogger(__name__)

# With SIGKILL, the pause before a restart and the start itself, a process that hangs is replaced in
# 20 s.
HANG_SECONDS = 11.0
START_SECONDS = 60.0
RESTARTS_A_MINUTE = 5
HEALTHY_SECONDS = 60.0
TERM_SECONDS = 15.0
KILL_AFTER_HANG_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Spec:
    """A process to keep running. With ``heartbeat`` it writes heartbeats, and is replaced when they
    stop.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    heartbeat: bool = True
    niceness: int = 0


class Child:
    """One supervised process, through all its restarts."""

    def __init__(self, spec: Spec, clock: Callable[[], float] = time.monotonic) -> None:
        self.spec = spec
        self.clock = clock
        self.backoff = Backoff(a_minute=RESTARTS_A_MINUTE, clock=clock)
        self.restarts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.pipe = -1
        self.started_at = self.last_beat = self.start_due = 0.0
        self.ready = False
        self.kill_due: float | None = None

    def start(self) -> None:
        """Start the process in a session of its own, so that only its supervisor gets the
        terminal's Ctrl-C.
        """
        self.pipe, write_end = os.pipe()
        os.set_blocking(self.pipe, False)
        try:
            self.process = subprocess.Popen(
                self.spec.command,
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.spec.environment, HEARTBEAT_VARIABLE: str(write_end)},
                pass_fds=(write_end,),
                start_new_session=True,
                preexec_fn=_prepare(self.spec.niceness),
            )
        finally:
            os.close(write_end)
        self.started_at = self.last_beat = self.clock()
        self.kill_due = None
        self.ready = not self.spec.heartbeat
        log.info("process started name=%s pid=%s", self.spec.name, self.process.pid)

    def check(self) -> None:
        """Check the process once, and start, end or kill it as needed."""
        now = self.clock()
        if self.process is None:
            if now >= self.start_due:
                self.start()
        elif (code := self.process.poll()) is not None:
            self._died(code)
        else:
            self._watch(now)

    def _died(self, code: int) -> None:
        assert self.process is not None
        self._close_pipe()
        self._kill_group(self.process.pid)
        if self.clock() - self.started_at > HEALTHY_SECONDS:
            self.backoff.reset()
        delay = self.backoff.next()
        self.restarts += 1
        self.process, self.ready, self.start_due = None, False, self.clock() + delay
        log.warning(
            "process ended name=%s %s restart_in=%.1fs", self.spec.name, _reason(code), delay
        )

    def _watch(self, now: float) -> None:
        assert self.process is not None
        self._read_heartbeats(now)
        if self.kill_due is not None:
            if now >= self.kill_due:
                self.process.kill()
        elif self.spec.heartbeat and now - self.last_beat > (
            HANG_SECONDS if self.ready else START_SECONDS
        ):
            log.warning("process hangs name=%s silent=%.0fs", self.spec.name, now - self.last_beat)
            self.kill_due = now + KILL_AFTER_HANG_SECONDS
            self.process.terminate()

    def _read_heartbeats(self, now: float) -> None:
        with contextlib.suppress(BlockingIOError):
            if os.read(self.pipe, 4096) and self.spec.heartbeat:
                self.last_beat, self.ready = now, True

    def terminate(self) -> None:
        """Ask the process to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def finish(self, deadline: float) -> None:
        """Wait for the process to end until ``deadline``, then kill it with all that it started."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - self.clock()))
        except subprocess.TimeoutExpired:
            log.warning("process killed name=%s", self.spec.name)
        self._kill_group(self.process.pid)
        self.process.wait()
        self._close_pipe()
        self.process = None

    def _kill_group(self, leader: int) -> None:
        """Kill what is left of the process and of those that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)

    def _close_pipe(self) -> None:
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1


class Supervisor:
    """Runs children until it is stopped. ``step`` checks each of them once."""

    def __init__(self, specs: Iterable[Spec]) -> None:
        self.children = [Child(spec) for spec in specs]
        self.pulse = Pulse()

    def start(self) -> None:
        """Start all children, in order."""
        for child in self.children:
            child.start()

    def step(self, timeout: float = 0.25) -> None:
        """Check every child, then wait for a heartbeat for up to ``timeout`` seconds."""
        self.pulse.beat()
        for child in self.children:
            child.check()
        pipes = [child.pipe for child in self.children if child.pipe >= 0]
        if pipes:
            select.select(pipes, [], [], timeout)

    @property
    def ready(self) -> bool:
        """Whether every child has sent a heartbeat."""
        return all(child.ready for child in self.children)

    def metrics(self) -> Iterator[Metric]:
        """Restarts and readiness of each child, for Prometheus."""
        yield RESTARTS.of(((child.spec.name,), child.restarts) for child in self.children)
        yield RUNNING.of(((child.spec.name,), float(child.ready)) for child in self.children)

    def run(self, stopping: threading.Event) -> None:
        """Keep the children running until ``stopping`` is set."""
        while not stopping.is_set():
            self.step()
            stopping.wait(0.1)

    def stop(self) -> None:
        """End all children, the first one last: the broker must outlive those that flush to it."""
        deadline = time.monotonic() + TERM_SECONDS
        *others, first = reversed(self.children) if len(self.children) > 1 else [*self.children]
        for group in (others, [first]):
            for child in group:
                child.terminate()
            for child in group:
                child.finish(deadline)


def manage(*arguments: str) -> list[str]:
    """The command line of one of Sightline's own commands."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def _prepare(niceness: int) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    libc, supervisor = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        # The children must end even when the supervisor is killed with SIGKILL.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # A supervisor that was killed before that call sends no signal.
        if os.getppid() != supervisor:
            os._exit(1)
        if niceness:
            os.nice(niceness)

    return prepare


def _reason(code: int) -> str:
    return f"signal={signal.Signals(-code).name}" if code < 0 else f"exit={code}"
