"""What every process of Sightline sets before it does anything else."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import sys
from typing import Final

# mallopt(3), of glibc
M_ARENA_MAX: Final = -8
ARENAS: Final = 2


def prepare() -> None:
    """Say in the log where a library has crashed the process, and keep memory that was given
    back in one piece.
    """
    faulthandler.enable()
    limit_arenas()


def limit_arenas() -> bool:
    """Let all threads share two pools of memory; whether that could be set. MALLOC_ARENA_MAX, where
    it is set, holds.

    glibc gives each thread a pool of its own, up to eight a core. Kafka's client allocates
    records in its threads and we give them back in ours, so that each pool fills with holes: a
    web process that is watched grew from 110 to 300 MiB in a quarter of an hour, and stays at
    140 with two.
    """
    if "MALLOC_ARENA_MAX" in os.environ or not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have no such pools
    return mallopt is not None and bool(mallopt(M_ARENA_MAX, ARENAS))


def settle() -> None:
    """Say that what there is by now stays; called once a process has started, and again when
    something large was loaded or dropped.

    Python looks for garbage among all objects only once those that are new are a quarter of
    those that are old, and after a start there are a hundred thousand old ones. What is in
    cycles, and the lists of objects kept for reuse, then grow for hours before they are cleared,
    by 1 to 3 MiB an hour, and clearing them takes tens of milliseconds, in which no frame moves.
    Objects set apart (gc.freeze) do not count, and looking through the rest is so quick that it
    can be done once a minute (worker.Report).
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.collect()  # counts anew how many are old: hardly any


def tidy() -> None:
    """Give back what is not needed; called once a minute. After settle() it takes milliseconds.

    glibc keeps what was freed between what is still used: of a capture process's 150 MiB, 60. It
    goes back to the system here, and comes again, page by page, as far as it is needed.
    """
    gc.collect()
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)
