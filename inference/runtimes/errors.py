"""What models and pictures can fail with."""

from __future__ import annotations


class InferenceError(Exception):
    """A picture or a model that gives no predictions, in one plain sentence.

    ``permanent``: the same input would fail again, so a retry is of no use.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent
