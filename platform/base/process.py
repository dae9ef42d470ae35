"""What every process of Sightline sets before it does anything else."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import sys
from typing import Final

# mallopt(3) of glibc
M_ARENA_MAX: Final = -8
ARENAS: Final = 2


def prepare() -> None:
    """Log a traceback when a library crashes the process, keep new files to their owner, and limit
    malloc's arenas.
    """
    faulthandler.enable()
    os.umask(0o077)
    limit_arenas()


def limit_arenas() -> bool:
    """Let all threads share two malloc arenas; returns whether that could be set. MALLOC_ARENA_MAX
    takes precedence.

    glibc gives each thread an arena, up to eight a core. Kafka's client allocates records in its
    threads and they are freed in ours, so every arena becomes fragmented: a web process with
    viewers grew from 110 to 300 MiB in 15 minutes. With two arenas it stays at 140.
    """
    if "MALLOC_ARENA_MAX" in os.environ or not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no arenas
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, ARENAS))


def freeze_long_lived() -> None:
    """Exclude long-lived objects from garbage collection; called when a process has started, and
    again when something large was loaded or dropped.

    CPython runs a full collection only when the new objects are a quarter of the old ones, and a
    started process has a hundred thousand of those. Cycles and free lists then grow by 1 to 3 MiB
    an hour, and a full collection stops every frame for tens of milliseconds. Frozen objects do
    not count (gc.freeze), so a full collection takes milliseconds and can run once a minute
    (worker.StatusReport).
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.collect()  # resets the count of old objects to nearly zero


def trim_memory() -> None:
    """Collect garbage and return free pages to the system; called once a minute. It takes
    milliseconds after freeze_long_lived().

    glibc keeps freed pages that lie between used ones: 60 of a capture process's 150 MiB.
    """
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
