from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sightline.worker import supervisor as module
from sightline.worker.supervisor import Child, Spec, Supervisor
from tests.conftest import HOME
from tests.servers import process
from tests.servers.waiting import wait_until

BEAT = (
    "import os, signal, sys, threading, time; beat = lambda:"
    " os.write(int(os.environ['SIGHTLINE_HEARTBEAT_FD']), b'.')\n"
)
STEADY = BEAT + "while True: beat(); time.sleep(0.05)"
FREEZING = BEAT + "beat(); time.sleep(600)"
MUTE = BEAT + "time.sleep(600)"
DEAF = BEAT + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: beat(); time.sleep(0.05)"
PARENT = (
    BEAT + "import subprocess; child = subprocess.Popen(['sleep', '600']); open(sys.argv[1],"
    " 'w').write(f'{child.pid}\\n')\n" + STEADY
)


def spec(code: str, *arguments: str, name: str = "it") -> Spec:
    return Spec(name, [sys.executable, "-c", code, *arguments])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


Supervise = Callable[..., Supervisor]


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    made: list[Supervisor] = []

    def start(*specs: Spec) -> Supervisor:
        made.append(Supervisor(specs))
        made[-1].start()
        return made[-1]

    yield start
    for supervisor in made:
        supervisor.stop()


def pid_of(child: Child) -> int:
    return child.process.pid if child.process else 0


def replaced(child: Child, pid: int) -> bool:
    return child.ready and pid_of(child) not in (0, pid)


def test_it_is_ready_when_every_child_has_shown_a_sign_of_life(supervise: Supervise) -> None:
    supervisor = supervise(spec(STEADY), spec(STEADY))

    assert not supervisor.ready
    wait_until(lambda: supervisor.ready, 15, "all to be ready", beside=supervisor.step)


def test_a_killed_child_is_started_again(supervise: Supervise) -> None:
    supervisor = supervise(spec(STEADY), spec(STEADY))
    wait_until(lambda: supervisor.ready, 15, "all to be ready", beside=supervisor.step)
    first, second = supervisor.children
    killed, kept = pid_of(first), pid_of(second)

    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: replaced(first, killed), 15, "a new process", beside=supervisor.step)

    assert first.restarts == 1
    assert pid_of(second) == kept


def lives_and_dies(child: Child) -> None:
    child.check()
    assert child.process is not None
    child.process.wait(10)
    child.check()


def test_it_waits_longer_after_each_death() -> None:
    now = 0.0
    child = Child(spec("raise SystemExit(3)"), clock=lambda: now)
    delays = []
    for _ in range(4):
        lives_and_dies(child)
        delays.append(child.start_due - now)
        now = child.start_due

    assert child.restarts == 4
    for delay, ceiling in zip(delays, [1, 2, 4, 8], strict=True):
        assert ceiling / 2 <= delay <= ceiling


def test_no_more_than_five_restarts_begin_in_a_minute() -> None:
    now = 0.0
    child = Child(spec("raise SystemExit(3)"), clock=lambda: now)
    starts = []
    for _ in range(8):
        lives_and_dies(child)
        child.backoff.reset()  # as if it had been well in between
        now = child.start_due
        starts.append(now)

    assert all(later - earlier >= 60 for earlier, later in zip(starts, starts[5:], strict=False))


def test_a_child_that_was_well_for_long_is_back_soon() -> None:
    now = 0.0
    child = Child(spec("pass"), clock=lambda: now)
    child.backoff.failures = 10
    child.check()
    assert child.process is not None
    child.process.wait(10)

    now = module.HEALTHY_SECONDS + 1
    child.check()

    assert child.start_due - now <= 1


@pytest.mark.parametrize(
    ("code", "constant"), [(FREEZING, "HANG_SECONDS"), (MUTE, "START_SECONDS")]
)
def test_a_child_that_hangs_is_replaced(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch, code: str, constant: str
) -> None:
    supervisor = supervise(spec(code))
    child = supervisor.children[0]
    if code == FREEZING:
        wait_until(lambda: child.ready, 15, "a first sign of life", beside=supervisor.step)
    hanging = pid_of(child)

    monkeypatch.setattr(module, constant, 0.1)
    wait_until(
        lambda: not alive(hanging) and child.restarts,
        15,
        "the hanging process to be ended",
        beside=supervisor.step,
    )
    monkeypatch.setattr(module, constant, 30)

    wait_until(
        lambda: pid_of(child) not in (0, hanging), 15, "a new process", beside=supervisor.step
    )


def test_a_hanging_child_that_ignores_sigterm_is_killed(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = supervise(spec(DEAF))
    child = supervisor.children[0]
    wait_until(lambda: child.ready, 15, "a first sign of life", beside=supervisor.step)
    monkeypatch.setattr(module, "KILL_AFTER_HANG_SECONDS", 0.1)
    os.kill(pid_of(child), signal.SIGSTOP)
    monkeypatch.setattr(module, "HANG_SECONDS", 0.1)

    wait_until(lambda: child.restarts == 1, 15, "the process to be killed", beside=supervisor.step)


def test_stopping_ends_all(supervise: Supervise) -> None:
    supervisor = supervise(spec(STEADY), spec(STEADY), spec(STEADY))
    pids = [pid_of(child) for child in supervisor.children]

    supervisor.stop()

    assert not any(alive(pid) for pid in pids)
    assert not any(child.process for child in supervisor.children)


def test_the_first_ends_last(supervise: Supervise, tmp_path: Path) -> None:
    note = (
        "import signal, sys\ndef end(*_):\n    print(sys.argv[1], file=open(sys.argv[2], 'a'))\n   "
        " sys.exit()\n"
    )
    note += "signal.signal(signal.SIGTERM, end)\n"
    log = tmp_path / "log"
    supervisor = supervise(
        *(spec(note + STEADY, name, str(log), name=name) for name in ("broker", "web", "infer"))
    )
    wait_until(lambda: supervisor.ready, 15, "all to be ready", beside=supervisor.step)

    supervisor.stop()

    assert sorted(log.read_text().split()) == ["broker", "infer", "web"]
    assert log.read_text().split()[-1] == "broker"


def test_who_ignores_sigterm_is_killed(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TERM_SECONDS", 0.3)
    supervisor = supervise(spec(DEAF))
    pid = pid_of(supervisor.children[0])
    wait_until(lambda: supervisor.ready, 15, "it to be deaf", beside=supervisor.step)

    supervisor.stop()

    assert not alive(pid)


@pytest.mark.parametrize("way", ["stop", "death"])
def test_what_a_child_started_ends_with_it(supervise: Supervise, tmp_path: Path, way: str) -> None:
    file = tmp_path / "pid"
    supervisor = supervise(spec(PARENT, str(file)))
    wait_until(
        lambda: file.exists() and file.read_text().endswith("\n"),
        15,
        "the grandchild to be started",
        beside=supervisor.step,
    )
    grandchild = int(file.read_text())
    assert alive(grandchild)

    if way == "stop":
        supervisor.stop()
    else:
        os.kill(pid_of(supervisor.children[0]), signal.SIGKILL)
        wait_until(
            lambda: supervisor.children[0].restarts,
            15,
            "the death to be noticed",
            beside=supervisor.step,
        )

    wait_until(lambda: not alive(grandchild), what="the grandchild to end")


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import sys, threading
from sightline.worker.supervisor import Spec, Supervisor
supervisor = Supervisor([Spec("it", [sys.executable, "-c", {STEADY!r}])] * 2)
supervisor.start()
while not supervisor.ready:
    supervisor.step()
pids = open({str(tmp_path / "pids")!r}, "w")
print(*(child.process.pid for child in supervisor.children), file=pids, flush=True)
supervisor.run(threading.Event())
"""
    pids = tmp_path / "pids"
    child = process.Child([sys.executable, "-c", code], tmp_path / "log", cwd=HOME)
    child.start()
    child.wait_until(
        lambda: pids.exists() and len(pids.read_text().split()) == 2, what="both to be ready"
    )
    children = [int(pid) for pid in pids.read_text().split()]
    assert all(alive(pid) for pid in children)

    os.kill(child.pid, signal.SIGKILL)

    wait_until(lambda: not any(alive(pid) for pid in children), what="its children to end")
    child.stop()
