"""What models and pictures can fail with."""

from __future__ import annotations


class InferenceError(Exception):
    """A picture or a model that gives no predictions, in one plain sentence.

    ``permanent``: the same input would fail again, so a retry is of no use.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class ServerUnavailable(InferenceError):
    """The model's server is away, too slow or in trouble: never the fault of the picture or the
    record.

    ``retry_after``: seconds within which it will not be called again, so that trying earlier is
    of no use.
    """

    def __init__(self, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(message, permanent=False)
        self.retry_after = retry_after


class DeadlineExceeded(ServerUnavailable):
    """The model's server has not answered in time: it is overloaded or hung, or takes longer than
    that for this very input.
    """


class OptionError(InferenceError):
    """An option is wrong: the ``path`` of its field, and whether there is no such option."""

    def __init__(self, path: tuple[str, ...], reason: str, *, unknown: bool = False) -> None:
        super().__init__(f"The option {'.'.join(path)!r} {reason}", permanent=True)
        self.path = path
        self.unknown = unknown
