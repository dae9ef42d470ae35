"""Children of the tests start, are waited for, and never stay behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.process import UNLESS_ORPHANED, Child, ChildDiedError
from tests.servers.waiting import wait_until

SILENT = "import time; time.sleep(60)"
SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


def python(code: str, log: Path) -> Child:
    return Child([sys.executable, "-c", code], log)


def is_running(pid: int) -> bool:
    """Alive, and not merely waiting for a parent to take note of its end."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_starts_waits_and_stops(tmp_path: Path) -> None:
    with python(SLEEPER, tmp_path / "log") as child:
        child.wait_until(lambda: "up" in child.tail(), 10)
        assert child.running
    assert not is_running(child.pid)
    assert child.returncode == -signal.SIGTERM


def test_it_kills_a_child_that_will_not_end(tmp_path: Path) -> None:
    child = python(STUBBORN, tmp_path / "log").start()
    child.wait_until(lambda: "up" in child.tail(), 10)
    child.stop(grace=0.1)
    assert child.returncode == -signal.SIGKILL


def test_it_shows_the_log_of_a_child_that_died(tmp_path: Path) -> None:
    with (
        python("raise SystemExit('no disk')", tmp_path / "log") as child,
        pytest.raises(ChildDiedError, match="no disk"),
    ):
        child.wait_until(lambda: False, 10)


def test_it_stops_a_paused_child(tmp_path: Path) -> None:
    with python(SLEEPER, tmp_path / "log") as child:
        child.wait_until(lambda: "up" in child.tail(), 10)
        child.pause()
    assert child.returncode == -signal.SIGTERM


def test_it_can_be_started_again(tmp_path: Path) -> None:
    child = python("print('once')", tmp_path / "log").start()
    assert child.wait() == 0
    child.start()
    assert child.wait() == 0
    assert child.tail().count("once") == 2
    child.stop()


def test_its_children_end_with_it(tmp_path: Path) -> None:
    code = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {SILENT!r}]).pid,"
        " flush=True)"
    )
    with python(code, tmp_path / "log") as child:
        assert child.wait() == 0
        grandchild = int(child.tail())
    wait_until(lambda: not is_running(grandchild), 10)


def test_it_ends_when_the_test_run_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from tests.servers.process import Child\nchild ="
        f" Child([sys.executable, '-c', {SLEEPER!r}],"
        f" pathlib.Path({str(tmp_path / 'inner')!r})).start()\nprint(child.pid, flush=True);"
        " child.wait(60)"
    )
    run = Child(
        [sys.executable, "-c", code], tmp_path / "outer", cwd=Path(__file__).parents[2]
    ).start()
    run.wait_until(lambda: run.tail().strip(), 10)
    child = int(run.tail())
    assert is_running(child)
    run.kill()
    wait_until(lambda: not is_running(child), 10)


def test_it_does_not_begin_when_the_test_run_is_gone_already() -> None:
    grandparent = str(os.getppid())
    done = subprocess.run(
        [*UNLESS_ORPHANED, grandparent, "echo", "begun"], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")
