"""Loads a model, and tries again until it works: what is missing may come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from inference.runner.state import RunnerState
from inference.runtimes.errors import InferenceError
from inference.runtimes.guard import error_text, guarded
from sightline.base.backoff import Backoff
from sightline.base.process import freeze_long_lived
from sightline.base.redaction import redact_url

log = logging.getLogger(__name__)

MAX_PAUSE_SECONDS: Final = 30.0


class LoadError(InferenceError):
    """A model did not load, for a plain ``reason``; ``foreign``: its own code raised something."""

    def __init__(self, reason: str, *, foreign: bool) -> None:
        super().__init__(
            f"The model does not load. {reason}" if foreign else reason, permanent=False
        )
        self.reason = reason


class Loadable(Protocol):
    """Something that is loaded before use, and closed afterwards."""

    def load(self) -> None: ...

    def close(self) -> None: ...


LoadableT = TypeVar("LoadableT", bound=Loadable)


def loaded(create: Callable[[], LoadableT]) -> LoadableT:
    """The model that ``create`` makes, ready to predict; LoadError when that fails."""
    model: LoadableT | None = None
    try:
        with guarded():
            model = create()
            model.load()
    except Exception as err:
        if model is not None:
            model.close()
        if isinstance(err, InferenceError):
            raise LoadError(str(err), foreign=False) from err
        log.debug("model does not load", exc_info=True)
        raise LoadError(error_text(err), foreign=True) from err
    # Freeze long-lived objects: collecting over them cost a fifth of the records a second.
    freeze_long_lived()
    return model


def load_until_stopped(
    create: Callable[[], LoadableT],
    state: RunnerState,
    stopping: threading.Event,
    max_pause: float = MAX_PAUSE_SECONDS,
) -> LoadableT | None:
    """The model that ``create`` makes, loaded; None when the runner is stopped first.

    After a failure the runner's state says why, and the next attempt waits for ``max_pause``
    seconds at most.
    """
    backoff = Backoff(maximum=max_pause)
    while not stopping.is_set():
        state.loading()
        try:
            model = loaded(create)
        except LoadError as err:
            state.unloadable(redact_url(str(err)))
            stopping.wait(backoff.next())
        else:
            state.loaded()
            return model
    return None
