"""Results of slow calls, computed in threads of their own: each once at a time, shared by all who
want it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from django.db import close_old_connections

T = TypeVar("T")

KEEP_SECONDS: Final = 2.0
MAX_ENTRIES: Final = 256


class TimedOut(Exception):
    """The result did not come in time. The call goes on; a later caller may get its result."""


class CachedResults:
    """Keeps each result for ``keep`` seconds. A call that hangs blocks its own thread only, and is
    not made a second time meanwhile.
    """

    def __init__(self, threads: int = 8, keep: float = KEEP_SECONDS) -> None:
        self.keep = keep
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="cached-results")
        self._lock = threading.Lock()
        self._entries: dict[Hashable, tuple[Future[Any], list[float]]] = {}

    def submit(self, key: Hashable, compute: Callable[[], T]) -> Future[T]:
        """Call ``compute``, unless its result is known or under way. Calls with the same ``key``
        have the same result.
        """
        with self._lock:
            future, done_at = self._entries.get(key, (None, []))
            if future is not None and (
                not future.done() or (done_at and time.monotonic() - done_at[0] < self.keep)
            ):
                return future
            if len(self._entries) >= MAX_ENTRIES:
                self._entries = {
                    key: entry for key, entry in self._entries.items() if not entry[0].done()
                }
            future, done_at = self._pool.submit(_computed, compute), []
            self._entries[key] = (future, done_at)
        future.add_done_callback(lambda _: done_at.append(time.monotonic()))
        return future

    def get(self, key: Hashable, compute: Callable[[], T], seconds: float) -> T:
        """The result; TimedOut when it takes longer than ``seconds``. What ``compute`` raises is
        raised here, too.
        """
        return result_within(self.submit(key, compute), seconds)

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._entries.clear()


def result_within(future: Future[T], seconds: float) -> T:
    """The future's result; TimedOut when it takes longer than ``seconds``."""
    try:
        return future.result(max(0.0, seconds))
    except TimeoutError as err:
        if future.done():
            raise
        raise TimedOut from err


def _computed(compute: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return compute()
    finally:
        close_old_connections()
