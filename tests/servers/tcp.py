"""Things at a camera's address that are no camera: one that never says a word, one that hangs up
at once.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from .ports import LOOPBACK, free_port


class MuteServer:
    """Accepts connections, reads nothing and never says a word."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.connections = 0
        self._listener: socket.socket | None = None
        self._held: list[socket.socket] = []

    @property
    def authority(self) -> str:
        """host:port, to build an address of any scheme on."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> Self:
        self._listener = socket.create_server((LOOPBACK, self.port))
        self._thread = threading.Thread(
            target=self._accept, args=(self._listener,), name=f"tcp-{self.port}", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Closes the port and all connections."""
        listener, self._listener = self._listener, None
        if listener:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
            self._thread.join()  # what it accepted last is to be closed, too
        while self._held:
            self._held.pop().close()

    def handle(self, client: socket.socket) -> None:
        self._held.append(client)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.connections += 1
                self.handle(client)


class HangupServer(MuteServer):
    """Accepts connections and closes each at once."""

    def handle(self, client: socket.socket) -> None:
        client.close()
