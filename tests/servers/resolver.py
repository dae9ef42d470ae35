"""A name server that answers differently the second time."""

from __future__ import annotations

import socket
from typing import Any

_known = socket.getaddrinfo


class Rebinding:
    """Takes the place of `socket.getaddrinfo`: `name` is `first` when it is asked for the first
    time and `later` from then on. `asked` counts. All other names are what they are.
    """

    def __init__(self, name: str, first: str, later: str) -> None:
        self.name = name
        self.answers = (first, later)
        self.asked = 0

    def __call__(self, host: str | None, *rest: Any, **named: Any) -> Any:
        if host == self.name:
            host = self.answers[min(self.asked, 1)]
            self.asked += 1
        return _known(host, *rest, **named)
