"""Child processes of the tests: started, waited for, paused and ended by their own id, never by
name.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from .waiting import wait_until

TAIL_BYTES = 4000
# A parent that is killed before setpriv has asked for the signal would never send it.
UNLESS_ORPHANED = ("sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')


class ChildDiedError(AssertionError):
    """The child ended although it was still needed; the message carries the end of its log."""


class Child:
    """One child process in a session of its own, its output appended to `log`.

    The kernel kills it when the thread that started it ends, so it cannot outlive a killed test
    run; start it from a thread that lives as long as the child is needed.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = [str(part) for part in argv]
        self.log = log
        self._env = {**os.environ, **(env or {})}
        self._cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Starts the process; `env` was added to this process's environment. Does not wait for
        it to serve.
        """
        if self.running:
            raise RuntimeError(f"already running: {self.argv[0]}")
        self.kill()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # setpriv execs the program: the id stays the child's own. A preexec_fn would run Python
        # between fork and exec, which can deadlock under the threads of the Kafka client.
        argv = ["setpriv", "--pdeathsig", "KILL", "--", *UNLESS_ORPHANED, str(os.getpid())]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*argv, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        return self

    @property
    def running(self) -> bool:
        return self._process is not None and self.returncode is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"never started: {self.argv[0]}")
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs (or was never started), minus the signal's number when a signal
        ended it.
        """
        if self._process is None:
            return None
        if self._process.returncode is not None:
            return self._process.returncode
        # Looked at, not reaped: until stop() or kill() the id, and with it the group's, belongs to
        # nobody else.
        end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is None:
            return None
        return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    def tail(self) -> str:
        """The last few kilobytes of the log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as output:
            output.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return output.read().decode(errors="replace")

    def wait_until(
        self, condition: Callable[[], object], timeout: float = 30.0, what: str = "it to be ready"
    ) -> None:
        """Waits for `condition`; ChildDiedError when the child ends before, TimeoutError (with
        the log) after `timeout`.
        """

        def met_or_dead() -> object:
            return condition() or not self.running

        try:
            wait_until(met_or_dead, timeout, what)
        except TimeoutError as err:
            raise TimeoutError(f"{err}; log of {self.argv[0]}:\n{self.tail()}") from err
        if not self.running:
            raise ChildDiedError(
                f"{self.argv[0]} ended with {self.returncode} before {what}; its"
                f" log:\n{self.tail()}"
            )

    def wait(self, timeout: float = 10.0) -> int:
        """Its exit status, once it has ended by itself; TimeoutError (with the log) after
        `timeout` seconds.
        """
        try:
            wait_until(lambda: not self.running, timeout, "it to end")
        except TimeoutError as err:
            raise TimeoutError(f"{err}; log of {self.argv[0]}:\n{self.tail()}") from err
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to the child alone, not to its own children."""
        if self.running:
            os.kill(self.pid, number)

    def pause(self) -> None:
        """Freezes the whole group: sockets stay open, nothing answers."""
        self._signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_group(signal.SIGCONT)

    def stop(self, grace: float = 5.0) -> None:
        """SIGTERM to the group, SIGKILL to what is left of it after `grace` seconds. A child
        that has ended is fine.
        """
        self._signal_group(signal.SIGTERM)
        self._signal_group(signal.SIGCONT)
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: not self.running, grace)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the group: no farewell, no flush."""
        self._signal_group(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            os.killpg(self.pid, number)
