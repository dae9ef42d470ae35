from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sightline.base.process import limit_arenas

MANY_THREADS = """
import threading
from sightline.base.process import limit_arenas
{call}
pause = threading.Barrier(17)
def work():
    kept = [bytearray(2000) for _ in range(100)]
    pause.wait(); pause.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads: thread.start()
pause.wait()
import ctypes
libc = ctypes.CDLL(None)
libc.malloc_stats()
pause.wait()
"""


def arenas(call: str) -> int:
    """How many pools of memory a process with 16 threads has, by glibc's own count."""
    variables = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    command = [sys.executable, "-c", MANY_THREADS.format(call=call)]
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stderr.count("Arena ")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc has such pools")
def test_threads_share_two_pools_of_memory() -> None:
    assert arenas("") > 2
    assert arenas("limit_arenas()") == 2


def test_what_the_environment_says_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert not limit_arenas()


BUSY = """
import gc
from collections import deque
from sightline.base.process import freeze_long_lived
old = [[] for _ in range(1_000_000)]
gc.collect()
{call}
before = gc.get_stats()[2]["collections"]
recent = deque(maxlen=20_000)
for _ in range(1_000_000):
    cycle = []
    cycle.append(cycle)
    recent.append(cycle)
print(gc.get_stats()[2]["collections"] - before, len(old), end="")
"""


def full_collections(call: str) -> int:
    """How often a process with a million old objects looks through all, while it makes and drops
    a million cycles.
    """
    done = subprocess.run(
        [sys.executable, "-c", BUSY.format(call=call)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout.split()[0])


def test_what_is_old_does_not_keep_what_is_new_from_being_collected() -> None:
    assert full_collections("freeze_long_lived()") > 2 * full_collections("") + 2


HOLES = """
from sightline.base.process import trim_memory
def anonymous():
    lines = open("/proc/self/smaps_rollup")
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))
kept = [bytearray(20_000) for _ in range(4000)]
del kept[:-1:2], kept[:-1:2], kept[:-1:2]
before = anonymous()
trim_memory()
print(before, anonymous())
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="only glibc keeps what is free between what is used",
)
def test_what_is_free_between_what_is_used_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOLES], capture_output=True, text=True, check=True, timeout=60
    )
    before, after = map(int, done.stdout.split())
    assert after < before / 2
