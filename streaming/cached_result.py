"""Answers to slow questions, asked in threads of their own: each question once at a time, and
for all who want to know.
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
MAX_REMEMBERED: Final = 256


class TimedOut(Exception):
    """The answer did not come in time. The question goes on being asked; a later call may get
    the answer.
    """


class Answers:
    """Remembers each answer for ``keep`` seconds. What hangs holds up its own thread and nobody
    else; it is not asked a second time meanwhile.
    """

    def __init__(self, threads: int = 8, keep: float = KEEP_SECONDS) -> None:
        self.keep = keep
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answers")
        self._lock = threading.Lock()
        self._asked: dict[Hashable, tuple[Future[Any], list[float]]] = {}

    def ask(self, question: Hashable, function: Callable[[], T]) -> Future[T]:
        """Begin to ask, unless the answer is known or under way. ``question`` says which answers
        are the same.
        """
        with self._lock:
            future, done_at = self._asked.get(question, (None, []))
            if future is not None and (
                not future.done() or (done_at and time.monotonic() - done_at[0] < self.keep)
            ):
                return future
            self._forget()
            future, done_at = self._pool.submit(_in_thread, function), []
            self._asked[question] = (future, done_at)
        future.add_done_callback(lambda _: done_at.append(time.monotonic()))
        return future

    def get(self, question: Hashable, function: Callable[[], T], seconds: float) -> T:
        """The answer; TimedOut when it takes longer than ``seconds``. What ``function`` raises is
        raised here, too.
        """
        return within(self.ask(question, function), seconds)

    def clear(self) -> None:
        """Ask everything anew."""
        with self._lock:
            self._asked.clear()

    def _forget(self) -> None:
        if len(self._asked) >= MAX_REMEMBERED:
            self._asked = {
                question: asked for question, asked in self._asked.items() if not asked[0].done()
            }


def within(future: Future[T], seconds: float) -> T:
    """The future's result; TimedOut when it takes longer than ``seconds``."""
    try:
        return future.result(max(0.0, seconds))
    except TimeoutError as err:
        if future.done():
            raise
        raise TimedOut from err


def _in_thread(function: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
