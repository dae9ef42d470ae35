"""The guard around foreign code: a model's class, its results, whatever they raise.

Several libraries raise subclasses of ``BaseException`` (time-outs above all), which no ``except
Exception`` stops. In a thread of a worker such an exception is never a signal: Python raises
KeyboardInterrupt in the main thread only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from inference.runtimes.errors import InferenceError


class ForeignError(InferenceError):
    """Foreign code raised what is not an ``Exception``; it is the cause."""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Let only subclasses of ``Exception`` out: others become a ForeignError."""
    try:
        yield
    except Exception:
        raise
    except BaseException as err:
        raise ForeignError(error_text(err), permanent=False) from err


def error_text(err: BaseException) -> str:
    """The exception's type and text, whatever its own ``__str__`` does."""
    try:
        return f"{type(err).__name__}: {err}"
    except BaseException:  # noqa: BLE001 - foreign code may raise anything
        return f"{type(err).__name__} (its text cannot be read)"
