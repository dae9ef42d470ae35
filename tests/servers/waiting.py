"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def wait_until(
    condition: Callable[[], Result],
    timeout: float = 10.0,
    what: str = "the condition",
    interval: float = 0.02,
    beside: Callable[[], object] = lambda: None,
) -> Result:
    """The first true result of `condition`, asked every `interval` seconds.

    Each time `beside` is called first: it lets what the test waits for go on. TimeoutError, with
    `what` was waited for, after `timeout` seconds.
    """
    pause = threading.Event()
    deadline = time.monotonic() + timeout
    while True:
        beside()
        if result := condition():
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain for {what}")
        pause.wait(interval)
